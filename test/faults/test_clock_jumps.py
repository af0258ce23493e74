# SPDX-License-Identifier: Apache-2.0
"""A simulated clock that jumps and stands still, as where a bag is played in a loop or a simulation is reset."""
from __future__ import annotations

import re
from contextlib import ExitStack

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from filming import EVERYTHING, Shot, filming  # noqa: E402
from geometry_msgs.msg import PoseStamped  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402

from clipseg_ros.srv import Recall  # noqa: E402

pytestmark = pytest.mark.ros

NAME = "/time/clipseg"
HOURS = 8 * 3600
FIRST, SECOND = Shot(metres=2.0), Shot(metres=3.0)


@pytest.fixture(scope="module")
def timed(peer, start_shared_node):
    """A node that goes by the simulated clock and remembers; yields its process and what films at a time."""
    process = start_shared_node(namespace="/time", parameters={
        "use_sim_time": "true", "prompts": f"['{EVERYTHING}']", "memory_size": 2.0, "memory_frame": "map",
        "tf_timeout": 0.02})
    peer.wait_until_active(process, NAME)
    with ExitStack() as made:
        film = made.enter_context(filming(peer, "/time", NAME))
        clock = made.enter_context(peer.publisher(Clock, "/clock"))
        place = made.enter_context(peer.publisher(PoseStamped, "/time/camera_pose"))

        def play(seconds: int, shot: Shot) -> None:
            now, at = Clock(), PoseStamped()
            now.clock.sec = at.header.stamp.sec = seconds
            at.header.frame_id = "map"
            clock.publish(now)
            place.publish(at)
            film.send(shot, seconds=seconds)
        yield process, film, play


def run(peer, film, play, start: int, shot: Shot, *, step: int = 1, frames: int = 8) -> list:
    """Play a recording, of which each picture is sent until there is a result with a place; the results."""
    results = []
    for seconds in range(start, start + frames * step or start + 1, step or 1):
        film.results.clear()
        peer.repeat(lambda: play(seconds, shot), lambda: film.results, f"the result of {seconds} s", period=0.2)
        results.append(film.results[-1])
    return results
