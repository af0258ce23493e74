# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from array import array
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import message, stamped  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.messages.depth import depth_of  # noqa: E402
from clipseg_ros.ros.inputs import depth  # noqa: E402
from clipseg_ros.ros.inputs.depth import UNMATCHED, DepthInput  # noqa: E402
from clipseg_ros.ros.settings import Settings  # noqa: E402

SETTINGS = Settings(depth_slop=0.05, min_depth=0.5, max_depth=5.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def depths(monkeypatch, clock) -> DepthInput:
    """A depth input that is fed by hand."""
    monkeypatch.setattr(depth, "AdaptiveSubscription", lambda *_, **__: SimpleNamespace())
    return DepthInput(None, prefix="", compressed=False, reports=None, clock=clock)


def header(stamp: int, frame: str = "camera_optical") -> Header:
    result = Header(frame_id=frame)
    result.stamp.sec = stamp
    return result


def wall(stamp: int, millimetres=2000, *, shape=(48, 64), frame: str = "camera_optical"):
    """An image all of whose readings are `millimetres`, or the columns of a row of them."""
    pixels = np.full(shape, millimetres, np.uint16)
    return stamped(message(pixels, "16UC1", width=shape[1], height=shape[0]), stamp, frame=frame)


@pytest.mark.parametrize(("millimetres", "metres"), [(2000, 2.0), (0, np.nan), (400, np.nan), (6000, np.nan)])
def test_the_depth_of_the_same_time_in_metres(depths, millimetres, metres):
    assert not depths
    depths.add(wall(6, 1234))
    depths.add(wall(7, [[millimetres] * 63 + [3000]]))
    assert depths
    found = depths.metres(header(7), (64, 48), SETTINGS)
    assert found == pytest.approx(np.full((48, 64), [metres] * 63 + [3.0]), nan_ok=True)


@pytest.mark.parametrize(("millimetres", "says"), [
    (0, "all 3072 depth readings are 0, and these are no distances"),
    (400, r"the readings are 400 to 400: 16UC1 must be millimetres, from 0.5 to 5 m \(min_depth, max_depth\)"),
    (6000, "the readings are 6000 to 6000: "),
])
def test_depth_without_a_valid_reading_is_a_sentence(depths, millimetres, says):
    depths.add(wall(7, millimetres))
    with pytest.raises(ValueError, match=says):
        depths.metres(header(7), (64, 48), SETTINGS)
    # an answer to a request about it still has masks
    given = depth_of(wall(7, millimetres), header(7), (64, 48), SETTINGS)
    assert np.isnan(given).all()


def test_a_compressed_depth_without_a_valid_reading_is_a_sentence(depths):
    png = cv2.imencode(".png", np.full((48, 64), 65535, np.uint16))[1].tobytes()
    depths.add(stamped(CompressedImage(format="16UC1; compressedDepth png", data=array("B", bytes(12) + png)), 7))
    with pytest.raises(ValueError, match="all 3072 depth readings are 65535"):
        depths.metres(header(7), (64, 48), SETTINGS)


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize(("encoding", "dtype"), [("16UC1", np.uint16), ("32FC1", np.float32)])
def test_swapped_bytes_are_a_sentence(big_endian, encoding, dtype):
    metres = np.linspace(1.0, 4.0, 3072).reshape(48, 64)
    pixels = (metres * (1000 if dtype == np.uint16 else 1)).astype(np.dtype(dtype).newbyteorder(">"))
    image = stamped(message(pixels, encoding, big_endian=True), 7)
    right = depth_of(image, header(7), (64, 48), SETTINGS)
    assert right == pytest.approx(metres, abs=1e-3)
    if not big_endian:
        pixels = pixels.byteswap()
    image = stamped(message(pixels, encoding, big_endian=not big_endian), 7)
    flags = f"its is_bigendian is {int(not big_endian)}, and {int(big_endian)} would be right"
    with pytest.raises(ValueError, match=rf"byte-swapped .* a reading is 2(.5|499.5|500)\): {flags}"):
        depth_of(image, header(7), (64, 48), SETTINGS)


def test_another_resolution_is_resampled(depths):
    depths.add(wall(7, shape=(24, 32)))
    assert depths.metres(header(7), (64, 48), SETTINGS).shape == (48, 64)


def test_another_frame_is_refused_unless_it_is_said_to_be_registered(depths):
    depths.add(wall(7, frame="depth_optical"))
    with pytest.raises(ValueError, match="in the frame depth_optical, the image in camera_optical; register it"):
        depths.metres(header(7), (64, 48), SETTINGS)
    assert depths.metres(header(7), (64, 48), replace(SETTINGS, assume_registered=True)) is not None
    assert depths.metres(header(7, ""), (64, 48), SETTINGS) is not None


def test_when_nothing_matches_for_two_seconds_it_says_so_with_both_stamps(depths, clock):
    depths.add(wall(7))
    assert depths.metres(header(9), (64, 48), SETTINGS) is None
    clock.now += UNMATCHED - 0.1
    assert depths.metres(header(9), (64, 48), SETTINGS) is None
    clock.now += 0.2
    with pytest.raises(ValueError, match=r"image is of 9.000 s and the nearest depth image of 7.000 s: .*-2.000 s"):
        depths.metres(header(9), (64, 48), SETTINGS)
    # one that matches starts the two seconds anew
    assert depths.metres(header(7), (64, 48), SETTINGS) is not None
    assert depths.metres(header(9), (64, 48), SETTINGS) is None


@pytest.mark.parametrize(("change", "says"), [
    ({"encoding": "8UC1"}, "'8UC1'"), ({"step": 3}, "step of 3 bytes"), ({"width": 0}, "empty"),
])
def test_a_faulty_depth_image_is_a_sentence(depths, change, says):
    faulty = wall(7)
    for name, value in change.items():
        setattr(faulty, name, value)
    depths.add(faulty)
    with pytest.raises(ValueError, match=says):
        depths.metres(header(7), (64, 48), SETTINGS)
