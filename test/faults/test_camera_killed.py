# SPDX-License-Identifier: Apache-2.0
"""A camera's process that is killed, and started again."""
from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from filming import filming  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from clipseg_ros.demo.process import ros_arguments  # noqa: E402
from clipseg_ros.msg import SegmentedObjectArray  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.fixture
def film_scenes():
    """Start a camera that films recorded scenes in front of the robot; it ends with the test."""
    started = []

    def start() -> subprocess.Popen:
        started.append(subprocess.Popen([sys.executable, "-m", "clipseg_ros.demo.scene_camera",
                                         *ros_arguments({"rate": 5.0}, {"__ns": "/faults/front"})]))
        return started[-1]
    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_node_says_so_goes_on_with_the_other_and_comes_back(peer, faulty, film_scenes, recovery):
    with filming(peer, "/faults/rear", "/faults/clipseg/rear") as rear, \
            peer.listener(DiagnosticArray, "/diagnostics") as found, \
            peer.listener(SegmentedObjectArray, "/faults/clipseg/front/objects") as front:
        def state() -> tuple[bytes, str]:
            states = [(status.level, status.message) for array in found for status in array.status
                      if status.name == "faults/clipseg: front"]
            return states[-1] if states else (b"", "")

        def seen() -> bool:
            return any(one.has_pose for result in front for one in result.objects)

        camera = film_scenes()
        peer.wait(seen, "a place in the scene")
        camera.kill()
        camera.wait()
        said = len(faulty.log)
        rear.until(lambda one: "although something publishes there" in faulty.log[said:]
                   or "nothing publishes images there" in faulty.log[said:], "the log to say so")
        rear.until(lambda one: one.has_pose and state()[0] == DiagnosticStatus.WARN and "publishes" in state()[1],
                   "the diagnostics to say so, and the other camera's places")
        newest = front[-1].header.stamp
        front.clear()
        with peer.listener(Image, "/faults/front/image") as pictures:
            film_scenes()
            peer.wait(lambda: pictures, "its first picture")
            with recovery("a camera's process that was killed, from its first picture on"):
                peer.wait(seen, "a place in the scene again")
        assert (front[0].header.stamp.sec, front[0].header.stamp.nanosec) > (newest.sec, newest.nanosec)
        peer.wait(lambda: "/faults/front/image: images arrive again" in faulty.log[said:], "the log to say so")
        assert not rear.faults
