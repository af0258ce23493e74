# SPDX-License-Identifier: Apache-2.0
"""What people reported of lenses and calibrations, as camera_info messages."""
from __future__ import annotations

import math

import numpy as np
import pytest
from solids import region

from clipseg_ros.perception.location import locate

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from sensor_msgs.msg import CameraInfo  # noqa: E402

from clipseg_ros.messages.calibration import Calibration  # noqa: E402

K = [100.0, 0.0, 320.0, 0.0, 100.0, 240.0, 0.0, 0.0, 1.0]
P = [300.0, 0.0, 320.0, 0.0, 0.0, 300.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def camera(*, rectified: bool = False, warn=lambda sentence: None, **changes):
    """The camera of a message with these changes."""
    message = CameraInfo(**{"width": 640, "height": 480, "k": K, "distortion_model": "equidistant", **changes})
    return Calibration(warn).camera(message, (640, 480), rectified=rectified)


def spot(u: int, v: int) -> np.ndarray:
    """(480, 640) bool: 41 x 41 pixels around one."""
    mask = np.zeros((480, 640), bool)
    mask[v - 20:v + 21, u - 20:u + 21] = True
    return mask


def look(lens, u: int, v: int):
    """What is found of the spot around a pixel where all depth readings are 2 m."""
    return locate([region(spot(u, v))], lens, np.full((480, 640), 2.0, np.float32))[0]


@pytest.mark.parametrize("k1", [0.0, 0.01, -0.01])
def test_a_fisheye_beyond_90_degrees_has_a_direction_and_no_pose(k1):
    found = look(camera(d=[k1, 0.0, 0.0, 0.0]), 520, 240)
    angle = math.atan2(found.bearing[0], found.bearing[2])
    assert angle > math.radians(100)
    # the spot is two focal lengths from the centre of the image
    assert angle * (1 + k1 * angle ** 2) == pytest.approx(2.0)
    assert found.bearing[1] == pytest.approx(0)
    assert found.pose is None


def test_a_fisheye_has_neither_where_its_model_has_no_answer():
    found = look(camera(d=[-0.2, 0.0, 0.0, 0.0]), 520, 240)
    assert np.isnan(found.bearing).all()
    assert found.pose is None


def test_an_object_that_reaches_beyond_90_degrees_has_the_pose_of_the_part_before():
    # the spot begins 1.39 radians off the axis and ends 1.79 off it
    found = look(camera(d=[0.0] * 4), 479, 240)
    assert np.isfinite(found.pose.position).all()
    assert found.pose.position[2] == pytest.approx(2.0)
    assert 2 * math.tan(1.39) - 0.1 < found.pose.position[0]


@pytest.mark.parametrize("d", [[0.0] * 4, [], [0.0] * 8, [1e-12, 0.0, 0.0, 0.0]])
@pytest.mark.parametrize("model", ["equidistant", "fisheye"])
def test_a_fisheye_without_coefficients_is_one(model, d):
    assert camera(d=d, distortion_model=model).bearing(420, 240) == pytest.approx((math.sin(1), 0, math.cos(1)))


@pytest.mark.parametrize("model", ["omni", "double_sphere", "fov"])
@pytest.mark.parametrize("d", [[], [0.0] * 5])
def test_a_lens_that_is_not_known_is_no_pinhole(model, d):
    with pytest.raises(ValueError, match=f"'{model}' is unknown"):
        camera(d=d, distortion_model=model)


@pytest.mark.parametrize("k", [[0.0] * 9, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]])
def test_a_placeholder_beside_a_projection_matrix(k):
    lens = camera(k=k, p=P, distortion_model="plumb_bob", d=[0.0] * 5)
    assert look(lens, 470, 240).pose.position == pytest.approx((1.0, 0.0, 2.0), abs=0.01)
    with pytest.raises(ValueError, match="set `rectified` if these are"):
        camera(k=k, p=P, distortion_model="plumb_bob", d=[-0.3, 0.1, 0.0, 0.0, 0.0])
    bent = camera(k=k, p=P, distortion_model="plumb_bob", d=[-0.3, 0.1, 0.0, 0.0, 0.0], rectified=True)
    assert bent == lens


@pytest.mark.parametrize("k", [
    [500.0, 0.0, 0.0, 0.0, 500.0, 0.0, 0.0, 0.0, 1.0],
    [500.0, 0.0, 9000.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0],
    [1.2, 0.0, 0.5, 0.0, 1.2, 0.5, 0.0, 0.0, 1.0],
])
def test_a_calibration_that_cannot_be_of_this_image_is_warned_about(k):
    said = []
    camera(k=k, distortion_model="plumb_bob", warn=said.append)
    assert len(said) == 1
    assert f"({k[2]:g}, {k[5]:g}) pixels do not fit an image of 640x480" in said[0]
