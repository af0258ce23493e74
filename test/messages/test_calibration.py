# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from sensor_msgs.msg import CameraInfo, RegionOfInterest  # noqa: E402

from clipseg_ros.messages.calibration import Calibration  # noqa: E402

K = [50.0, 0.0, 31.5, 0.0, 50.0, 23.5, 0.0, 0.0, 1.0]
P = [40.0, 0.0, 30.0, 0.0, 0.0, 40.0, 20.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def info(**changes) -> CameraInfo:
    return CameraInfo(**{"width": 64, "height": 48, "k": K, "p": P, "distortion_model": "plumb_bob", **changes})


def test_the_camera_stays_the_same_while_the_calibration_does():
    calibration = Calibration()
    first = calibration.camera(info(), (64, 48), rectified=False)
    later = info()
    later.header.stamp.sec = 5
    assert calibration.camera(later, (64, 48), rectified=False) is first
    changed = calibration.camera(info(k=[60.0, *K[1:]]), (64, 48), rectified=False)
    assert (first.fx, changed.fx) == (50.0, 60.0)


def test_lens_and_rectified_image():
    bent = info(d=[0.1, 0.0, 0.0, 0.0, 0.0])
    calibration = Calibration()
    assert calibration.camera(bent, (64, 48), rectified=False).distortion == (0.1, 0, 0, 0, 0)
    straight = calibration.camera(bent, (64, 48), rectified=True)
    assert (straight.distortion, straight.fx) == ((), 40.0)


def test_a_part_of_the_sensor():
    part = info(binning_x=2, binning_y=2, roi=RegionOfInterest(x_offset=8, y_offset=4, width=48, height=40))
    camera = Calibration().camera(part, (24, 20), rectified=False)
    assert (camera.fx, camera.cx, camera.cy) == (25.0, 11.75, 9.75)


@pytest.mark.parametrize(("given", "says"), [
    ({"width": 32}, "camera_info describes images of 32x48 pixels, but the image has 64x48"),
    ({"k": [0.0] * 9, "p": [0.0] * 12}, "not calibrated"),
    ({"d": [0.1] * 5, "distortion_model": "mystery"}, "'mystery'"),
    ({"distortion_model": "omni"}, "'omni'"),
    ({"k": [0.0] * 9, "d": [0.1] * 5}, "set `rectified`"),
])
def test_what_cannot_be_used_is_a_sentence(given, says):
    calibration = Calibration()
    with pytest.raises(ValueError, match=says):
        calibration.camera(info(**given), (64, 48), rectified=False)
    assert calibration.camera(info(), (64, 48), rectified=False).fx == 50.0


def test_an_implausible_calibration_is_warned_about_once():
    said = []
    calibration = Calibration(said.append)
    calibration.camera(info(), (64, 48), rectified=False)
    assert not said
    odd = info(k=[50.0, 0.0, 0.0, 0.0, 50.0, 0.0, 0.0, 0.0, 1.0])
    for _ in range(3):
        assert calibration.camera(odd, (64, 48), rectified=False).fx == 50.0
    assert len(said) == 1
    assert "a principal point of (0, 0) pixels do not fit an image of 64x48" in said[0]
    calibration.camera(info(k=[5.0, *K[1:4], 5.0, *K[5:]]), (64, 48), rectified=False)
    assert len(said) == 2
    assert "focal lengths of 5 and 5" in said[1]
