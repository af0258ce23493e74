# SPDX-License-Identifier: Apache-2.0
"""SIGTERM, SIGINT and SIGKILL at every stage of a node's life, and in the middle of a frame and of a save.

test/ros/test_running.py and test/scripts/test_executables.py have the moments in which libraries are loaded.
"""
from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from builtin_interfaces.msg import Time  # noqa: E402
from full_disk import full_disk  # noqa: E402
from geometry_msgs.msg import PoseStamped  # noqa: E402
from pictures import noise  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.msg import Memory  # noqa: E402

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.mark.parametrize(("stage", "how"), [
    ("loading PyTorch", signal.SIGTERM),
    ("loading the weights", signal.SIGINT), ("loading the weights", signal.SIGTERM),
    ("weights 'untrained' on", signal.SIGINT), ("weights 'untrained' on", signal.SIGTERM)])
def test_a_node_that_starts_ends_quietly(start_node, stage, how):
    """As soon as its log has come so far."""
    node = start_node(namespace="/starting")
    while stage not in node.log:
        assert not node.ended, node.log
        time.sleep(0.005)
    assert node.stop(how) == 0
    assert "Traceback" not in node.log and "[ERROR]" not in node.log


class Rover:
    """Sends pictures from ever new places, so that all of them are remembered."""

    def __init__(self, peer, stack) -> None:
        self.images = stack.enter_context(peer.publisher(Image, "/sig/image"))
        self.poses = stack.enter_context(peer.publisher(PoseStamped, "/sig/camera_pose"))
        self.seconds = 100

    def film(self) -> None:
        self.seconds += 1
        pose = PoseStamped(header=Header(stamp=Time(sec=self.seconds), frame_id="map"))
        pose.pose.position.x = float(self.seconds)
        self.poses.publish(pose)
        self.images.publish(noise(self.seconds, size=(480, 640)))


@pytest.fixture
def remembering(peer, start_node, tmp_path):
    """A function that starts a node with a memory, and the memory's file."""
    file = tmp_path / "kept" / "memory.safetensors"

    def start():
        node = start_node(namespace="/sig", parameters={
            "memory_size": 100.0, "memory_frame": "map", "memory_file": str(file), "memory_save_period": 0.3})
        peer.wait_until_active(node, "/sig/clipseg")
        return node
    return start, file


def parts(file: Path) -> list[str]:
    return [path.name for path in file.parent.iterdir() if path.name != file.name]


def test_a_memory_outlives_full_disks_and_ends_of_every_kind(peer, remembering, record_property):
    start, file = remembering
    with contextlib.ExitStack() as stack:
        rover = Rover(peer, stack)
        told = stack.enter_context(peer.listener(Memory, "/sig/clipseg/memory", LATCHED))
        masks = stack.enter_context(peer.listener(Image, "/sig/clipseg/mask"))

        def more(what: str, than: int) -> int:
            peer.repeat(rover.film, lambda: told and told[-1].keyframes > than, what, period=0.1)
            return told[-1].keyframes

        node = start()
        kept = more("pictures to be remembered", 3)
        peer.wait(file.exists, "the memory's file")
        before = file.stat()
        with full_disk(10_000, node.pid):
            kept = more("more pictures", kept)
            peer.wait(lambda: "the memory is not saved" in node.log, "a sentence")
            assert (file.stat().st_ino, file.stat().st_size) == (before.st_ino, before.st_size)
        freed = time.monotonic()
        peer.repeat(rover.film, lambda: file.stat().st_size > before.st_size, "the memory to be saved", period=0.1)
        record_property("recovery_s", time.monotonic() - freed)
        assert node.log.count("the memory is not saved") == 1 and f"{file} cannot be written: " in node.log

        # killed in the middle of a save: what was saved before is found, and nothing half
        peer.repeat(rover.film, lambda: parts(file), "a save", period=0.02)
        node.stop(signal.SIGKILL)
        peer.wait(lambda: not peer.node.get_publishers_info_by_topic("/sig/clipseg/mask"), "the node to be gone")
        told.clear(), masks.clear()
        started = time.monotonic()
        node = start()
        kept = peer.wait(lambda: told and told[-1].keyframes, "what is remembered")
        assert f"{kept} images are remembered from before" in node.log
        peer.repeat(rover.film, lambda: masks, "a mask after the kill")
        record_property("start_after_kill_s", time.monotonic() - started)

        # asked to end in the middle of a save, and of a frame: both are finished
        kept = more("more pictures", kept)
        peer.repeat(rover.film, lambda: parts(file), "a save", period=0.02)
        ended = time.monotonic()
        assert node.stop(signal.SIGTERM) == 0
        record_property("end_s", time.monotonic() - ended)
        assert "Traceback" not in node.log
        told.clear()
        node = start()
        assert peer.wait(lambda: told and told[-1].keyframes, "what is remembered") >= kept
