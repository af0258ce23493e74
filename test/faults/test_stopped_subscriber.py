# SPDX-License-Identifier: Apache-2.0
"""A subscriber of a reliable topic that is stopped and goes on again, and one that reads slowly."""
from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from footprint import Footprint  # noqa: E402
from pictures import noise, stamp  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

pytestmark = pytest.mark.ros

TOPIC = "/faults/clipseg/front/overlay"
SIZE, FRAMES = (240, 320), 100
"""(height, width) of the pictures, and how many are taken while the other subscriber is stopped."""
SUBSCRIBER = """
import rclpy, sys, time
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("subscriber")
node.create_subscription(Image, sys.argv[1], lambda _: print("got", flush=True) or time.sleep(float(sys.argv[2])), 5)
rclpy.spin(node)
"""


@pytest.fixture
def subscriber(tmp_path):
    """Start a process that takes so many seconds for each overlay; returns it and what counts those that it got."""
    started = []

    def start(pause: float) -> tuple[subprocess.Popen, Callable[[], int]]:
        log = tmp_path / f"subscriber{len(started)}"
        with log.open("w") as output:
            started.append(subprocess.Popen([sys.executable, "-c", SUBSCRIBER, TOPIC, str(pause)], stdout=output))
        return started[-1], lambda: log.read_text().count("got")
    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_others_get_every_result_and_the_node_keeps_none_for_it(peer, faulty, subscriber, recovery):
    with peer.publisher(Image, "/faults/front/image") as images, peer.listener(Image, TOPIC) as overlays:
        def film(number: int) -> None:
            """A picture, and whatever else is listened to, until its overlay is there."""
            picture = noise(number, size=SIZE)
            peer.repeat(lambda: images.publish(picture), lambda: any(stamp(one) == stamp(picture) for one in overlays),
                        f"overlay {number}", period=2.0)
            overlays.clear()

        numbers = itertools.count(100)
        film(next(numbers))
        process, got = subscriber(0.0)
        peer.repeat(lambda: film(next(numbers)), got, "it to listen", period=0.0)
        _, got_slowly = subscriber(2.0)  # Fast DDS sometimes overlooks one of two that start in the same instant
        peer.repeat(lambda: film(next(numbers)), got_slowly, "the slow one to listen", period=0.0)
        process.send_signal(signal.SIGSTOP)
        film(next(numbers))
        before, kept = got(), Footprint.of(faulty.pid).memory
        for _ in range(FRAMES):
            film(next(numbers))
        assert got() == before
        assert Footprint.of(faulty.pid).memory - kept < FRAMES * SIZE[0] * SIZE[1] * 3 / 1e6 / 2
        process.send_signal(signal.SIGCONT)
        with recovery("a subscriber that was stopped"):
            peer.repeat(lambda: film(next(numbers)), lambda: got() > before, "it to go on", period=0.0)
        assert process.poll() is None
