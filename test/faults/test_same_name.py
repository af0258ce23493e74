# SPDX-License-Identifier: Apache-2.0
"""A second node of the same name."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from filming import Shot, filming  # noqa: E402

pytestmark = pytest.mark.ros

SAYS = "another node is called /faults/clipseg too"


def test_both_say_so_and_the_results_stay_right(peer, faulty, start_node, recovery):
    with filming(peer, "/faults/front", "/faults/clipseg/front") as film:
        film.until(lambda one: one.has_pose, "a pose")
        assert SAYS not in faulty.log
        # It is never configured, which costs the time of loading the network.
        second = start_node(namespace="/faults", parameters={"autostart": "false"})
        film.until(lambda one: SAYS in faulty.log and SAYS in second.log, "both to say so")
        assert faulty.log.count(SAYS) == second.log.count(SAYS) == 1
        assert "start one of them with namespace:=NAME" in second.log
        film.until(lambda one: one.has_pose, "a pose of the first one", shot=Shot(metres=3.0))
        assert not second.ended and second.stop() == 0
        with recovery("a second node of the same name"):
            film.until(lambda one: one.has_pose, "a pose of the one that is left", shot=Shot(metres=1.0))
        assert not film.faults and not faulty.ended
