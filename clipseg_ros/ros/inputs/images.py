# SPDX-License-Identifier: Apache-2.0
"""Image messages to arrays.

OpenCV converts the colours of the encodings in this file's table. Those that the table lacks are left to cv_bridge;
`bridge` says which way an encoding goes, and why.
"""
from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from clipseg_ros.ros.inputs.bridge import BRIDGE, BRIDGED


class _Layout(NamedTuple):
    """How an encoding lies in memory and how OpenCV turns it into RGB (None: it is RGB, or somebody else does)."""

    channels: int
    to_rgb: int | None
    dtype: str = "u1"
    even: tuple[int, int] = (1, 1)
    """The height and width must be multiples of these."""
    rows_per_two: int = 2
    """Rows of data for every two rows of the picture."""


_RGB = {
    "rgb8": _Layout(3, None),
    "bgr8": _Layout(3, cv2.COLOR_BGR2RGB),
    "8UC3": _Layout(3, cv2.COLOR_BGR2RGB),
    "rgba8": _Layout(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Layout(4, cv2.COLOR_BGRA2RGB),
    "8UC4": _Layout(4, cv2.COLOR_BGRA2RGB),
    "mono8": _Layout(1, cv2.COLOR_GRAY2RGB),
    "8UC1": _Layout(1, cv2.COLOR_GRAY2RGB),
    "mono16": _Layout(1, cv2.COLOR_GRAY2RGB, "u2"),
    # OpenCV names a Bayer pattern after its second row and column, ROS after the first.
    "bayer_rggb8": _Layout(1, cv2.COLOR_BayerBG2RGB, even=(2, 2)),
    "bayer_bggr8": _Layout(1, cv2.COLOR_BayerRG2RGB, even=(2, 2)),
    "bayer_gbrg8": _Layout(1, cv2.COLOR_BayerGR2RGB, even=(2, 2)),
    "bayer_grbg8": _Layout(1, cv2.COLOR_BayerGB2RGB, even=(2, 2)),
    "yuv422": _Layout(2, cv2.COLOR_YUV2RGB_UYVY, even=(1, 2)),
    "uyvy": _Layout(2, cv2.COLOR_YUV2RGB_UYVY, even=(1, 2)),
    "yuv422_yuy2": _Layout(2, cv2.COLOR_YUV2RGB_YUYV, even=(1, 2)),
    "yuyv": _Layout(2, cv2.COLOR_YUV2RGB_YUYV, even=(1, 2)),
    "nv12": _Layout(1, cv2.COLOR_YUV2RGB_NV12, even=(2, 2), rows_per_two=3),
    "nv21": _Layout(1, cv2.COLOR_YUV2RGB_NV21, even=(2, 2), rows_per_two=3),
}
# What cv_bridge is given is judged here too: it trusts the step, and its own complaints say less.
_RGB_OR_BRIDGED = _RGB | {
    **{name: _Layout(3, None, "u2") for name in ("rgb16", "bgr16", "16UC3")},
    **{name: _Layout(4, None, "u2") for name in ("rgba16", "bgra16", "16UC4")},
    **{f"bayer_{pattern}16": _Layout(1, None, "u2", even=(2, 2)) for pattern in ("rggb", "bggr", "gbrg", "grbg")},
}
_MASKS = {"mono8": _Layout(1, None), "8UC1": _Layout(1, None),
          "mono16": _Layout(1, None, "u2"), "16UC1": _Layout(1, None, "u2")}
_DEPTHS = {"16UC1": _Layout(1, None, "u2"), "mono16": _Layout(1, None, "u2"), "32FC1": _Layout(1, None, "f4")}

COLOUR_ENCODINGS = tuple(_RGB)
"""The encodings that `image_to_rgb` takes, with or without cv_bridge."""


def image_to_rgb(message: Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a camera's image; for rgb8 without padding it shares the message's memory.

    8UC3, 8UC4, 16UC3 and 16UC4 are taken as BGR(A), OpenCV's order. 16 bits are scaled from 0..65535 to 0..255. In nv12
    and nv21 `height` is the picture's, and half as many rows of chroma follow.

    Raises
    ------
    ValueError
        If the encoding is unknown, the sizes do not fit, or cv_bridge is needed and cannot be used, with a sentence
        that says how.
    """
    layout = _layout(message, _RGB_OR_BRIDGED, "image")
    pixels = _pixels(message, layout)
    if message.encoding in BRIDGED:
        return BRIDGE.to_rgb(message, pixels)
    if layout.dtype == "u2":
        pixels = cv2.convertScaleAbs(pixels, alpha=255 / 65535)
    if layout.to_rgb is None:
        return np.ascontiguousarray(pixels)
    return cv2.cvtColor(np.ascontiguousarray(pixels), layout.to_rgb)


def compressed_to_rgb(message: CompressedImage) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a JPEG, PNG or other picture that OpenCV decodes, never rotated by its metadata.

    Raises
    ------
    ValueError
        If it cannot be decoded.
    """
    data = np.frombuffer(message.data, np.uint8)
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if data.size else None
    except cv2.error:
        picture = None
    if picture is None:
        raise ValueError(f"the compressed image ({data.size} bytes, format {message.format[:40]!r}) cannot be decoded; "
                         "it must be a complete JPEG or PNG file")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def image_to_mask(message: Image) -> np.ndarray:
    """(H, W) bool of a mono8, 8UC1, mono16 or 16UC1 image: True where it is not 0. ValueError as `image_to_rgb`."""
    return _pixels(message, _layout(message, _MASKS, "mask")) != 0


def image_to_depth(message: Image) -> np.ndarray:
    """(H, W) uint16 or float32 of a depth image, in the unit of its encoding. ValueError as `image_to_rgb`."""
    return _pixels(message, _layout(message, _DEPTHS, "depth image"))


def _layout(message: Image, layouts: dict[str, _Layout], what: str) -> _Layout:
    """The layout of the message's encoding, once its sizes are known to fit."""
    if not message.width or not message.height:
        raise ValueError(f"the {what} is empty: it is {message.width} pixels wide and {message.height} high")
    layout = layouts.get(message.encoding)
    if layout is None:
        own, bridged = ([name for name in layouts if (name in BRIDGED) is there] for there in (False, True))
        raise ValueError(f"the {what} has the encoding {message.encoding[:40]!r}; it must be one of {', '.join(own)}"
                         + (f", or with cv_bridge {', '.join(bridged)}" if bridged else ""))
    if message.height % layout.even[0] or message.width % layout.even[1]:
        raise ValueError(f"the {what} is {message.width}x{message.height} pixels; {message.encoding} needs "
                         f"{'an even width' if layout.even[0] == 1 else 'an even width and height'}")
    needed = message.width * layout.channels * np.dtype(layout.dtype).itemsize
    if message.step < needed:
        raise ValueError(f"the {what} has a step of {message.step} bytes; {message.width} pixels of {message.encoding} "
                         f"need at least {needed}")
    rows = message.height * layout.rows_per_two // 2
    if len(message.data) != message.step * rows:
        raise ValueError(f"the {what} has {len(message.data)} bytes of data; {rows} rows of {message.step} bytes "
                         f"need {message.step * rows}")
    return layout


def _pixels(message: Image, layout: _Layout) -> np.ndarray:
    """(rows, W) or (rows, W, channels) view of the data without its padding, in this machine's byte order."""
    dtype = np.dtype(layout.dtype).newbyteorder(">" if message.is_bigendian else "<")
    rows = message.height * layout.rows_per_two // 2
    view = np.ndarray((rows, message.width, layout.channels), dtype, memoryview(message.data),
                      strides=(message.step, layout.channels * dtype.itemsize, dtype.itemsize))
    native = view.astype(dtype.newbyteorder("="), copy=False)
    return native[..., 0] if layout.channels == 1 else native
