# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
from geometry_msgs.msg import Vector3  # noqa: E402
from sensor_msgs.msg import Imu  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.ros.inputs.gravity import STALE, Gravity  # noqa: E402

pytestmark = pytest.mark.ros

OPTICAL = "camera_accel_optical_frame"


def felt(x: float, y: float, z: float, frame: str = OPTICAL, **fields) -> Imu:
    return Imu(header=Header(frame_id=frame), linear_acceleration=Vector3(x=x, y=y, z=z), **fields)


class Bench:
    """An accelerometer's listener with a clock of its own."""

    def __init__(self) -> None:
        self.now, self.said = 100.0, []
        self.gravity = Gravity(None, prefix="", reports=SimpleNamespace(warn=self.said.append), clock=lambda: self.now)

    def feel(self, *messages: Imu, period: float = 0.01) -> np.ndarray | None:
        for message in messages:
            self.now += period
            self.gravity.hear(message)
        return self.gravity.up("camera_color_optical_frame")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_at_rest_the_acceleration_points_up(bench):
    assert bench.gravity.up("camera") is None
    assert bench.feel(felt(0.0, -9.8, 0.0)) == pytest.approx((0, -1, 0))
    tilted = np.array([0.0, -np.cos(0.5), -np.sin(0.5)])
    assert bench.feel(*[felt(*9.8 * tilted)] * 300) == pytest.approx(tilted, abs=0.01)


def test_a_shake_hardly_counts(bench):
    shaken = [felt(9.0 * (-1) ** index, -9.8, 0.0) for index in range(100)]
    assert bench.feel(felt(0.0, -9.8, 0.0), *shaken) == pytest.approx((0, -1, 0), abs=0.05)


def test_what_is_old_is_forgotten(bench):
    bench.feel(felt(0.0, -9.8, 0.0))
    bench.now += STALE + 0.1
    assert bench.gravity.up(OPTICAL) is None
    assert bench.feel(felt(9.8, 0.0, 0.0)) == pytest.approx((1, 0, 0)), "and nothing of it is left"


@pytest.mark.parametrize(("message", "says"), [
    (felt(0.0, 0.0, 9.8, "imu_link"), "its frame 'imu_link' is neither that of the image nor an optical one"),
    (felt(0.0, 0.0, 0.0), "the acceleration is 0.0 m/s^2"),
    (felt(0.0, -30.0, 0.0), "the acceleration is 30.0 m/s^2"),
    (felt(0.0, -9.8, 0.0, linear_acceleration_covariance=[-1.0] + [0.0] * 8), None),
    (felt(float("nan"), -9.8, 0.0), None),
])
def test_what_says_nothing(bench, message, says):
    assert bench.feel(message) is None
    assert (says is None) == (not bench.said) and (says is None or says in bench.said[0])


def test_the_images_own_frame_will_do(bench):
    bench.feel(felt(0.0, -9.8, 0.0, "/head"))
    assert bench.gravity.up("head") == pytest.approx((0, -1, 0))
