# SPDX-License-Identifier: Apache-2.0
"""Calibrations that change while a camera films."""
from __future__ import annotations

import time

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from filming import Shot, filming  # noqa: E402

pytestmark = pytest.mark.ros

TOPICS, OUTPUTS = "/faults/front", "/faults/clipseg/front"


@pytest.mark.parametrize("changed", [Shot(focal=100.0), Shot(focal=25.0, size=(32, 24))])
def test_every_picture_has_the_calibration_that_came_with_it(peer, faulty, changed):
    said = len(faulty.log)
    with filming(peer, TOPICS, OUTPUTS) as film:
        film.until(lambda one: one.has_pose, "a pose")
        shots = Shot(), changed

        def both() -> None:
            for shot in shots:
                film.send(shot)
                time.sleep(0.01)  # the network is still at work on the first picture when the second one comes
        peer.repeat(both, lambda: all(film.located[shot] >= 5 for shot in shots), "poses of both", period=0.15)
        assert not film.faults
    assert "camera_info describes" not in faulty.log[said:]


@pytest.mark.parametrize(("broken", "says"), [
    (Shot(calibrated=(32, 48), known=False), "camera_info describes images of 32x48 pixels, but the image has 64x48"),
    (Shot(focal=0.0, known=False), "the camera is not calibrated"),
    (Shot(lens="mystery", known=False), "'mystery' is unknown"),
])
def test_a_calibration_that_cannot_be_used_costs_the_poses_until_it_is_mended(peer, faulty, recovery, broken, says):
    with filming(peer, TOPICS, OUTPUTS) as film:
        film.until(lambda one: one.has_pose, "a pose")
        film.until(lambda one: not one.has_pose and says in faulty.log, says, shot=broken)
        with recovery(f"a calibration of which the log says: {says[:40]}"):
            film.until(lambda one: one.has_pose, "a pose again")
        assert not film.faults


def test_a_calibration_of_another_frame_is_used_and_warned_about(peer, faulty):
    with filming(peer, TOPICS, OUTPUTS) as film:
        film.until(lambda one: one.has_pose and "camera_info is in the frame elsewhere, the image in" in faulty.log,
                   "a warning", shot=Shot(info_frame="elsewhere"))
        assert not film.faults
