# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import message, stamped  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

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


def wall(stamp: int, millimetres: int = 2000, *, shape=(48, 64), frame: str = "camera_optical"):
    pixels = np.full(shape, millimetres, np.uint16)
    return stamped(message(pixels, "16UC1", width=shape[1], height=shape[0]), stamp, frame=frame)


@pytest.mark.parametrize(("millimetres", "metres"), [(2000, 2.0), (0, np.nan), (400, np.nan), (6000, np.nan)])
def test_the_depth_of_the_same_time_in_metres(depths, millimetres, metres):
    assert not depths
    depths.add(wall(6, 1234))
    depths.add(wall(7, millimetres))
    assert depths
    found = depths.metres(header(7), (64, 48), SETTINGS)
    assert found == pytest.approx(np.full((48, 64), metres), nan_ok=True)


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
