# SPDX-License-Identifier: Apache-2.0
"""A simulated clock that jumps and stands still, as where a bag is played in a loop or a simulation is reset."""
from __future__ import annotations

import re
from contextlib import ExitStack

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from builtin_interfaces.msg import Time  # noqa: E402
from filming import EVERYTHING, Shot, filming  # noqa: E402
from geometry_msgs.msg import PoseStamped  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.srv import Recall  # noqa: E402

pytestmark = pytest.mark.ros

NAME = "/time/clipseg"
HOURS = 8 * 3600
JUMPS = {"a recording that starts again": (5000, 5000),
         "a clock that jumps forwards by hours": (5000, 5000 + HOURS),
         "a clock that jumps back by hours": (5000 + HOURS, 5020)}
"""Seconds at which the clock is before and afterwards."""


@pytest.fixture(scope="module")
def timed(peer, start_shared_node):
    """A node that goes by a simulated clock and remembers; yields its process, a film, and what plays a moment."""
    process = start_shared_node(namespace="/time", parameters={
        "use_sim_time": "true", "prompts": f"['{EVERYTHING}']", "memory_size": 2.0, "memory_frame": "map"})
    peer.wait_until_active(process, NAME)
    with ExitStack() as made:
        film = made.enter_context(filming(peer, "/time", NAME))
        clock = made.enter_context(peer.publisher(Clock, "/clock"))
        places = made.enter_context(peer.publisher(PoseStamped, "/time/camera_pose"))

        def play(seconds: int, shot: Shot) -> None:
            now = Time(sec=seconds)
            clock.publish(Clock(clock=now))
            places.publish(PoseStamped(header=Header(stamp=now, frame_id="map")))
            film.send(shot, seconds=seconds)
        yield process, film, play


@pytest.fixture
def numbers(peer, timed):
    """Plays pictures from a time on, each until its wall has a place; returns the wall's track ids."""
    _, film, play = timed

    def numbers(start: int, shot: Shot, *, step: int = 1) -> set[int]:
        found = []
        for seconds in range(start, start + 6 * step, step) if step else [start] * 6:
            film.results.clear()
            found += peer.repeat(lambda at=seconds: play(at, shot),
                                 lambda at=seconds: [one for result in film.results for one in result.objects
                                                     if one.has_pose and result.header.stamp.sec == at],
                                 f"a place at {seconds} s", period=0.2)
            assert not film.faults
        return {one.track_id for one in found}
    return numbers


@pytest.mark.parametrize(("jump", "there", "here"), [(name, *times) for name, times in JUMPS.items()])
def test_nothing_of_the_time_before_gets_into_the_results(peer, timed, numbers, recovery, jump, there,
                                                            here):
    process, film, play = timed
    before = numbers(there, Shot(metres=2.0))
    said = len(process.log)
    film.results.clear()
    with recovery(jump):
        peer.repeat(lambda: play(here, Shot(metres=3.0)), lambda: film.located[Shot(metres=3.0)], "a place", period=0.1)
    assert not film.faults
    after = numbers(here + 1, Shot(metres=3.0))
    assert len(before) == len(after) == 1 and not before & after, "one wall, and another one after the jump"
    assert len(re.findall(r"\[WARN\]|\[ERROR\]", process.log[said:])) <= 3, process.log[said:]
    answer = peer.call(Recall, f"{NAME}/recall", prompts=[EVERYTHING])
    assert answer.success and answer.keyframes
    assert here <= answer.objects[0].last_seen.sec < here + 10, "it was seen after the jump"


def test_results_go_on_while_the_clock_stands_still(timed, numbers):
    assert len(numbers(9000, Shot(metres=2.0)) | numbers(9000, Shot(metres=3.0), step=0)) == 2
    assert len(numbers(9010, Shot(metres=3.0), step=0)) == 1
