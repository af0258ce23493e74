# SPDX-License-Identifier: Apache-2.0
"""The way to cv_bridge, with a stand-in that has its interface: whole ones, and ones that are broken in every way."""
from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")
from pictures import EIGHT_BITS, PICTURE, encode, message  # noqa: E402

from clipseg_ros.messages.images import COLOUR_ENCODINGS, image_to_depth, image_to_mask  # noqa: E402
from clipseg_ros.ros.inputs import bridge as bridge_module  # noqa: E402
from clipseg_ros.ros.inputs import images  # noqa: E402
from clipseg_ros.ros.inputs.bridge import BRIDGE, BRIDGED, DECISIONS, OWN, Bridge  # noqa: E402

pytestmark = pytest.mark.ros

STAND_IN = '''
import cv2
import numpy as np

ASKED = []
CODES = {"rgb16": None, "bgr16": cv2.COLOR_BGR2RGB, "rgba16": cv2.COLOR_RGBA2RGB, "bgra16": cv2.COLOR_BGRA2RGB,
         "bayer_rggb16": cv2.COLOR_BayerBG2RGB, "bayer_bggr16": cv2.COLOR_BayerRG2RGB,
         "bayer_gbrg16": cv2.COLOR_BayerGR2RGB, "bayer_grbg16": cv2.COLOR_BayerGB2RGB}


class CvBridgeError(TypeError):
    pass


class CvBridge:
    """As strict as the real one is wrong: nothing but its own names, whole rows and this machine's byte order."""

    def imgmsg_to_cv2(self, img_msg, desired_encoding="passthrough"):
        ASKED.append(img_msg.encoding)
        if desired_encoding != "rgb8" or img_msg.encoding not in CODES:
            raise CvBridgeError(f"[{img_msg.encoding}] is not a color format")
        code, pixels = CODES[img_msg.encoding], np.frombuffer(img_msg.data, "<u2")
        channels = pixels.size // (img_msg.height * img_msg.width)
        if img_msg.is_bigendian or img_msg.step != 2 * channels * img_msg.width:
            raise CvBridgeError("padded, or the other byte order")
        pixels = pixels.reshape(img_msg.height, img_msg.width, channels)
        return cv2.convertScaleAbs(pixels if code is None else cv2.cvtColor(pixels, code), alpha=255 / 65535)
'''
ANSWERS = "class CvBridge:\n    def imgmsg_to_cv2(self, img_msg, desired_encoding='passthrough'):\n        "


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Makes a module cv_bridge of source text importable, here and in child processes; None hides a real one."""
    def put(source: str | None) -> Bridge:
        monkeypatch.setitem(sys.modules, "cv_bridge", None)
        if source is not None:
            (tmp_path / "cv_bridge").mkdir()
            (tmp_path / "cv_bridge" / "__init__.py").write_text(source)
            monkeypatch.syspath_prepend(tmp_path)
            del sys.modules["cv_bridge"]
        bridge = Bridge(patience=20)
        monkeypatch.setattr(images, "BRIDGE", bridge)
        return bridge

    return put


def rgb_of(encoding: str, *, padding: int = 0, big_endian: bool = False) -> np.ndarray:
    rows = encode(PICTURE, encoding)
    return images.image_to_rgb(message(rows.astype(">u2") if big_endian else rows, encoding, padding=padding,
                                       big_endian=big_endian))


def test_every_encoding_has_one_way():
    assert sorted(OWN + BRIDGED) == sorted(COLOUR_ENCODINGS)
    assert sorted(BRIDGED) == sorted(EIGHT_BITS)


def test_cv_bridge_serves_colours_of_16_bits(install):
    bridge = install(STAND_IN)
    for encoding in BRIDGED:
        tolerance = 4 if encoding.startswith("bayer") else 0
        rgb = rgb_of(encoding)
        assert (rgb.shape, rgb.dtype, rgb.flags.c_contiguous) == (PICTURE.shape, np.uint8, True)
        assert np.abs(rgb.astype(int) - PICTURE)[2:-2, 2:-2].max() <= tolerance
        for padding, big_endian in ((6, False), (16, False), (0, True), (6, True)):
            assert (rgb_of(encoding, padding=padding, big_endian=big_endian) == rgb).all()
    asked = sys.modules["cv_bridge"].ASKED
    assert set(asked) == set(BRIDGED) - {"16UC3", "16UC4"}, "those two under a name that it takes"
    assert "which works" in bridge.describe()


def test_cv_bridge_is_not_asked_where_the_table_is_better(install):
    bridge = install("raise RuntimeError('somebody imported it')")
    for encoding in OWN:
        rgb_of(encoding, padding=4)
    image_to_depth(message(np.zeros((48, 64), np.uint16), "16UC1"))
    image_to_mask(message(np.zeros((48, 64), np.uint8), "mono8"))
    assert "cv_bridge" not in sys.modules
    assert "which is tried when the first of them arrives" in bridge.describe()


def test_cv_bridge_is_not_asked_where_fewer_bits_are_in_use(install):
    """It takes 65535 for white, whatever the camera means."""
    install("raise RuntimeError('somebody imported it')")
    for encoding in BRIDGED:
        rgb = images.image_to_rgb(message(encode(PICTURE, encoding) >> 4, encoding))
        assert np.abs(rgb.astype(int) - PICTURE)[2:-2, 2:-2].max() <= (4 if encoding.startswith("bayer") else 1)
    assert "cv_bridge" not in sys.modules


def test_without_cv_bridge_the_table_goes_on(install):
    bridge = install(None)
    assert bridge.describe() == ("cv_bridge is not installed: the node converts images of encoding "
                                 f"{', '.join(BRIDGED)} itself, as it does all others")
    for encoding in ("rgb8", "bgr16", "16UC4"):
        assert (rgb_of(encoding) == PICTURE).all()


def test_a_folder_of_that_name_is_not_cv_bridge(install, monkeypatch, tmp_path):
    bridge = install("")
    (tmp_path / "cv_bridge" / "__init__.py").unlink()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert bridge.fault() == "is not installed"


@pytest.mark.parametrize(("source", "says"), [
    ("raise ImportError('libopencv_core.so.4.5d: no such file')", "ImportError: libopencv_core.so.4.5d: no such file"),
    ("import sys\nprint('A module that was compiled using NumPy 1.x', file=sys.stderr)\n"
     "raise AttributeError('_ARRAY_API not found')", "AttributeError: _ARRAY_API not found"),
    ("raise SystemExit(0)", "ended with 0 and without an answer"),
    ("raise SystemExit(3)", "ended with 3 and without an answer"),
    ("import os; os.kill(os.getpid(), 11)", "a trial crashed with SIGSEGV"),
    ("", "cannot import name 'CvBridge'"),
    ("class CvBridge:\n    def __init__(self): raise RuntimeError('no cv2')", "RuntimeError: no cv2"),
    ("class CvBridge: pass", "no attribute 'imgmsg_to_cv2'"),
    (f"{ANSWERS}raise TypeError('a\\nb' + 999 * 'c')", "b?c{100,200}"),
    (f"{ANSWERS}import os, sys; print('_ARRAY_API not found', file=sys.stderr); os.abort()",
     "crashed with SIGABRT after '_ARRAY_API not found'"),
    (f"{ANSWERS}return None", r"it makes a object array of shape \(\) of 2 rows and 3 columns"),
    (f"{ANSWERS}import numpy; return numpy.zeros((2, 3), 'u1')", r"a uint8 array of shape \(2, 3\)"),
    (f"{ANSWERS}import numpy; return numpy.zeros((2, 3, 3), 'u2')", r"a uint16 array of shape \(2, 3, 3\)"),
    (f"{ANSWERS}import numpy; return numpy.zeros((2, 3, 3), 'u1')", "converts a trial image to other colours"),
])
def test_a_broken_cv_bridge_is_one_sentence(install, capfd, source, says):
    bridge = install(source)
    assert (rgb_of("bgr16") == PICTURE).all(), "the table goes on"
    assert re.match(rf"cv_bridge does not work here \(.*{says}.*\): the node converts images of .* itself",
                    bridge.describe())
    assert "\n" not in bridge.describe()
    assert len(bridge.describe()) < 600
    assert capfd.readouterr() == ("", ""), "its own words stay in the trial"


def test_a_cv_bridge_that_hangs_is_given_up(install):
    install("import time; time.sleep(60)")
    assert Bridge(patience=0.5).fault() == "does not work here (a trial has not ended after 0.5 s)"


def test_it_is_tried_once_and_only_when_needed(install, monkeypatch):
    runs, run = [], subprocess.run
    monkeypatch.setattr(bridge_module.subprocess, "run", lambda *args, **more: runs.append(args) or run(*args, **more))
    bridge = install(STAND_IN)
    bridge.describe()
    rgb_of("bgr8")
    assert runs == []
    for _ in range(3):
        rgb_of("rgb16")
    assert len(runs) == 1


def test_a_process_that_cannot_do_what_the_trial_could(install, monkeypatch):
    bridge = install("raise ImportError('cannot allocate memory in static TLS block')")
    monkeypatch.setattr(bridge_module, "_trial", lambda patience: "")
    assert bridge.fault() == "does not work here (ImportError: cannot allocate memory in static TLS block)"


def test_where_python_cannot_be_started(install, monkeypatch):
    bridge = install(STAND_IN)
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    assert "it cannot be tried: " in bridge.fault()


@pytest.mark.parametrize(("answer", "says"), [
    ("raise self.error('no idea')", "it cannot convert an image of 64x48 pixels of rgb16: no idea"),
    ("return self.array",
     "it cannot convert an image of 64x48 pixels of rgb16: it makes a uint8 array of shape (48, 64)"),
])
def test_after_an_image_that_it_cannot_convert_it_is_not_asked_again(install, answer, says):
    bridge = install(STAND_IN + f'''
    real = imgmsg_to_cv2
    error = CvBridgeError
    array = np.zeros((48, 64), np.uint8)

    def imgmsg_to_cv2(self, img_msg, desired_encoding="passthrough"):
        if img_msg.encoding == "rgb16":
            {answer}
        return self.real(img_msg, desired_encoding)
''')
    assert (rgb_of("rgb16") == PICTURE).all(), "the table goes on"
    assert f"cv_bridge does not work here ({says}" in bridge.describe()
    asked = len(sys.modules["cv_bridge"].ASKED)
    assert (rgb_of("bgr16") == PICTURE).all()
    assert len(sys.modules["cv_bridge"].ASKED) == asked


@pytest.mark.parametrize(("running", "compiled", "says"), [
    ("2.4.6", b"..numpy.core._multiarray_umath..", "it was built for NumPy 1, and this is NumPy 2.4.6"),
    ("2.4.6", b"..numpy._core._multiarray_umath..numpy.core._multiarray_umath..", ""),
    ("1.26.4", b"..numpy.core._multiarray_umath..", ""),
    ("2.4.6", b"..no NumPy at all..", ""),
])
def test_a_compiled_part_for_another_numpy_is_seen_without_running_it(install, monkeypatch, tmp_path, running, compiled,
                                                                     says):
    bridge = install("raise RuntimeError('somebody imported it')")
    (tmp_path / "cv_bridge" / "boost").mkdir()
    (tmp_path / "cv_bridge" / "boost" / "cv_bridge_boost.so").write_bytes(compiled)
    monkeypatch.setattr(np, "__version__", running)
    assert (says in bridge.describe()) and (bool(says) == bridge.describe().startswith("cv_bridge does not work here"))
    if says:
        assert bridge.fault() == f"does not work here ({says})"
    assert "cv_bridge" not in sys.modules


def test_the_real_cv_bridge_agrees_with_the_table():
    """On a machine that has one: the decisions rest on the two giving the same pixels."""
    if BRIDGE.fault():
        pytest.skip(f"cv_bridge {BRIDGE.fault()}")
    from cv_bridge import CvBridge

    compared = [name for decision in DECISIONS if "the same pixels" in decision.reason
                for name in decision.encodings.split()]
    for encoding in ("rgb8", *compared):
        sent = message(encode(PICTURE, encoding), encoding)
        assert np.abs(CvBridge().imgmsg_to_cv2(sent, "rgb8").astype(int) - images.image_to_rgb(sent)).max() <= 1
    for encoding in BRIDGED:
        assert np.abs(rgb_of(encoding, padding=6).astype(int) - PICTURE)[2:-2, 2:-2].max() <= 4
