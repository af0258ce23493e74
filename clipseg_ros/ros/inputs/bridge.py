# SPDX-License-Identifier: Apache-2.0
"""Which images go through cv_bridge, and a cv_bridge that cannot take the node down.

cv_bridge is tried in a process of its own when the first image needs it: its compiled part, built for NumPy 1, prints
a page under NumPy 2 and then crashes the process that used it.
"""
from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from clipseg_ros.ros.outputs.images import to_image


class Decision(NamedTuple):
    """Who converts some encodings to RGB, and why."""

    encodings: str
    cv_bridge: bool
    reason: str


DECISIONS = (
    Decision("rgb8", False, "a view of the message's memory, where cv_bridge copies"),
    Decision("bgr8 rgba8 bgra8 mono8", False, "the same pixels in 0.4 to 0.6 of the time"),
    Decision("mono16", False, "the same pixels in 0.4 of the time"),
    Decision("bayer_rggb8 bayer_bggr8 bayer_gbrg8 bayer_grbg8", False, "the same pixels in 0.8 of the time"),
    Decision("yuv422 yuv422_yuy2", False, "the same pixels in 0.6 to 0.9 of the time"),
    Decision("8UC1 8UC3 8UC4 16UC1", False, "cv_bridge refuses to take them for colours"),
    Decision("uyvy yuyv nv12 nv21 nv24 yuv420 i420 yv12 yuv422p", False, "cv_bridge does not know them"),
    Decision("rgb16 bgr16 rgba16 bgra16 16UC3 16UC4", True,
             "the pixels that other nodes make of them, where all 16 bits are in use"),
    Decision("bayer_rggb16 bayer_bggr16 bayer_gbrg16 bayer_grbg16", True,
             "finer pixels, where all 16 bits are in use: the table makes them 8 bits first"),
)
"""Measured with the cv_bridge of ROS 2 (rolling), images of 640x480, NumPy 1.24 and 2.4, OpenCV 4.6 and 5.0."""

OWN = tuple(name for decision in DECISIONS if not decision.cv_bridge for name in decision.encodings.split())
"""The encodings that the table in `messages.images` converts, with or without cv_bridge."""

BRIDGED = tuple(name for decision in DECISIONS if decision.cv_bridge for name in decision.encodings.split())
"""The encodings that cv_bridge converts; where it does not work the table does."""

_ASKED_AS = {"16UC3": "bgr16", "16UC4": "bgra16"}
"""cv_bridge refuses to take these for colours; they are in OpenCV's order, as 8UC3 and 8UC4 are."""


class Bridge:
    """cv_bridge, known to work before it is used.

    Parameters
    ----------
    patience : seconds after which a trial that has not ended has failed
    """

    def __init__(self, *, patience: float = 30.0) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._fault: str | None = None
        """None before the trial."""
        self._converter: Any = None

    def describe(self) -> str:
        """One sentence for the log: which images go through cv_bridge, or why none does. Tries nothing out."""
        names = ", ".join(BRIDGED)
        fault = _missing() if self._fault is None else self._fault
        if fault:
            return f"cv_bridge {fault}: the node converts images of encoding {names} itself, as it does all others"
        state = "which works" if self._converter else "which is tried when the first of them arrives"
        return f"images of encoding {names} go through cv_bridge, {state}; the others are faster without it"

    def fault(self) -> str:
        """Why cv_bridge cannot be used, as the end of a sentence that begins with "cv_bridge"; empty where it can.

        The first call runs the trial where cv_bridge is installed: 0.3 s on a desktop.
        """
        with self._lock:
            if self._fault is None:
                self._fault = _missing() or _trial(self._patience) or self._load()
            return self._fault

    def to_rgb(self, message: Image, encoding: str, pixels: np.ndarray) -> np.ndarray | None:
        """(H, W, 3) uint8 RGB of a message in one of `BRIDGED`; None where cv_bridge cannot do it, now or ever again.

        cv_bridge shears rows whose padding is not a whole number of pixels and, under NumPy 2, fails on the other byte
        order, so it is shown the `pixels` of such a message: (H, W) or (H, W, channels) uint16 in this machine's order.
        """
        if self.fault():
            return None
        name = _ASKED_AS.get(encoding, encoding)
        as_it_is = (name == message.encoding and message.step * message.height == len(message.data) == pixels.nbytes
                    and bool(message.is_bigendian) == (sys.byteorder == "big"))
        try:
            return _convert(self._converter, message if as_it_is else to_image(pixels, name, message.header))
        except Exception as error:  # foreign code, whose own error is a TypeError
            self._fault = _does_not_work(f"it cannot convert an image of {message.width}x{message.height} pixels of "
                                         f"{message.encoding}: {error}")
            return None

    def _load(self) -> str:
        """What keeps this process from a cv_bridge that another one could use; empty for nothing."""
        try:
            self._converter = try_out()
        except Exception as error:  # foreign code
            return _does_not_work(f"{type(error).__name__}: {error}")
        return ""


BRIDGE = Bridge()
"""The process's own."""


def try_out() -> Any:
    """A `CvBridge` that has converted an image. Raises what cv_bridge raises, or ValueError if the image is wrong."""
    from cv_bridge import CvBridge

    converter = CvBridge()
    levels = np.arange(18).reshape(2, 3, 3)
    rgb = _convert(converter, to_image((levels * 257).astype(np.uint16), "bgr16", Header()))
    if not np.array_equal(rgb, levels[..., ::-1]):
        raise ValueError("it converts a trial image to other colours")
    return converter


def _convert(converter: Any, message: Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB. ValueError if the converter makes something else of the message."""
    rgb = np.asarray(converter.imgmsg_to_cv2(message, desired_encoding="rgb8"))
    if (rgb.shape, rgb.dtype) != ((message.height, message.width, 3), np.uint8):
        raise ValueError(f"it makes a {rgb.dtype} array of shape {rgb.shape} of {message.height} rows and "
                         f"{message.width} columns")
    return np.ascontiguousarray(rgb)


def _missing() -> str:
    """What can be told without running anything of cv_bridge: it is not there, or was built for another NumPy."""
    found = importlib.util.find_spec("cv_bridge")
    if found is None or found.origin is None:  # no origin: any folder of that name
        return "is not installed"
    if int(np.__version__.partition(".")[0]) < 2:
        return ""
    for folder in found.submodule_search_locations or ():
        for path in Path(folder).glob("boost/*.so"):
            code = path.read_bytes() if os.access(path, os.R_OK) else b""
            # NumPy's headers compile in the names of the module that they import: 2 tries the first, then the second.
            if b"numpy._core._multiarray_umath" not in code and b"numpy.core._multiarray_umath" in code:
                return _does_not_work(f"it was built for NumPy 1, and this is NumPy {np.__version__}")
    return ""


def _trial(patience: float) -> str:
    """What happens to a process that uses cv_bridge; empty where it lives and the answer is right."""
    command = [sys.executable or "python3", "-c", f"from {__name__} import try_out; try_out(); print('works')"]
    try:
        ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False,
                               stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, text=True,
                               errors="replace")
    except subprocess.TimeoutExpired:
        return _does_not_work(f"a trial has not ended after {patience:g} s")
    except OSError as error:
        return _does_not_work(f"it cannot be tried: {error}")
    if ended.returncode == 0 and "works" in ended.stdout.splitlines():
        return ""
    said = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    if ended.returncode < 0:
        said.append(f"a trial crashed with {signal.Signals(-ended.returncode).name}"
                    + (f" after {said[-1]!r}" if said else ""))
    return _does_not_work(said[-1] if said else f"a trial ended with {ended.returncode} and without an answer")


def _does_not_work(reason: str) -> str:
    """The end of a sentence that begins with "cv_bridge"; foreign words may be long or have several lines."""
    return f"does not work here ({' '.join(reason.split())[:200]})"
