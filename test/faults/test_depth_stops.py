# SPDX-License-Identifier: Apache-2.0
"""A depth camera that falls silent while the pictures go on, and comes back."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from filming import Shot, filming  # noqa: E402

pytestmark = pytest.mark.ros

WALL = Shot(metres=1.5)
WITHOUT = Shot(depth=False, known=False)
BACK = Shot(metres=2.5)


def test_results_go_on_without_places_until_it_is_back(peer, faulty, recovery):
    with filming(peer, "/faults/front", "/faults/clipseg/front") as film, \
            peer.listener(DiagnosticArray, "/diagnostics") as found:
        def state() -> tuple[bytes, str]:
            states = [(status.level, status.message) for array in found for status in array.status
                      if status.name == "faults/clipseg: front"]
            return states[-1] if states else (b"", "")

        film.until(lambda one: one.has_pose and state() == (DiagnosticStatus.OK, "images arrive"), "poses", shot=WALL)
        film.until(lambda one: "objects have no pose: the image is of" in state()[1], "the diagnostics to say why",
                   shot=WITHOUT)
        assert state()[0] == DiagnosticStatus.WARN and "more than depth_slop" in state()[1]
        assert "the nearest depth image of" in faulty.log
        with recovery("depth that stopped"):
            film.until(lambda one: one.has_pose, "poses again", shot=BACK)
        film.until(lambda one: state() == (DiagnosticStatus.OK, "images arrive"), "the end of the warning", shot=BACK)
        assert not film.faults
        silent = [one for one in film.results if film.shots[one.header.stamp.sec] == WITHOUT]
        assert all(one.objects[0].bearing.z > 0 for one in silent), "the direction is known all the same"
