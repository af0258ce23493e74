# SPDX-License-Identifier: Apache-2.0
"""A depth topic to which nobody publishes, images that come back, and stamps that say nothing."""
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from pictures import message, noise, stamped  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.msg import SegmentedObjectArray  # noqa: E402

pytestmark = pytest.mark.ros

K = [50.0, 0.0, 32.0, 0.0, 50.0, 24.0, 0.0, 0.0, 1.0]


def info(stamp: int = 0) -> CameraInfo:
    return stamped(CameraInfo(header=Header(), width=64, height=48, k=K), stamp)


def depth(stamp: int, millimetres: int) -> Image:
    return stamped(message(np.full((48, 64), millimetres, np.uint16), "16UC1"), stamp)


def test_a_depth_topic_to_which_nobody_publishes_is_named(peer, start_node):
    node = start_node(namespace="/lost", parameters={"prompts": "[mug]"}, remap={"depth": "wrong"})
    with peer.publisher(Image, "/lost/image") as images:
        peer.repeat(lambda: images.publish(noise(1)), lambda: "/lost/wrong: nothing publishes there, so objects have no "
                    "pose; remap `depth` to the camera's topic" in node.log, "a warning")
        assert "/lost/camera_info: nothing publishes there" not in node.log, "a camera without depth is no fault"
        with peer.publisher(Image, "/lost/wrong"):
            peer.repeat(lambda: images.publish(noise(1)),
                        lambda: "/lost/camera_info: nothing publishes there" in node.log, "the other warning")


def test_images_that_arrive_again_are_told(peer, start_node):
    node = start_node(namespace="/again")
    peer.wait(lambda: "nothing publishes images there" in node.log, "a warning")
    with peer.publisher(Image, "/again/image") as images:
        peer.repeat(lambda: images.publish(noise(1)), lambda: "/again/image: images arrive again" in node.log, "the end")


def test_where_all_stamps_are_zero_the_newest_depth_is_taken(peer, start_node):
    node = start_node(namespace="/zero", parameters={"prompts": "['everything=0.001']", "refine": "none"})
    peer.wait_until_active(node, "/zero/clipseg")
    with peer.publisher(Image, "/zero/image") as images, peer.publisher(Image, "/zero/depth") as depths, \
            peer.publisher(CameraInfo, "/zero/camera_info") as infos, \
            peer.listener(SegmentedObjectArray, "/zero/clipseg/objects") as found:
        for metres in (1.0, 2.0):
            def send(metres=metres):
                infos.publish(info())
                depths.publish(depth(0, int(1000 * metres)))
                images.publish(noise(0))
            peer.repeat(send, lambda metres=metres: any(
                one.has_pose and abs(one.pose.pose.position.z - metres) < 0.05 for m in found for one in m.objects),
                f"a pose at {metres} m")
    assert node.log.count("the images have the stamp 0") == 1


def test_frames_without_depth_are_counted(peer, start_node):
    node = start_node(namespace="/gap", parameters={"prompts": "['everything=0.001']"})
    peer.wait_until_active(node, "/gap/clipseg")
    with peer.publisher(Image, "/gap/image") as images, peer.publisher(Image, "/gap/depth") as depths, \
            peer.publisher(CameraInfo, "/gap/camera_info") as infos, \
            peer.listener(SegmentedObjectArray, "/gap/clipseg/objects"), \
            peer.listener(DiagnosticArray, "/diagnostics") as found:
        def send():
            infos.publish(info(9))
            depths.publish(depth(1, 1000))
            images.publish(noise(9))

        def counted() -> bool:
            values = {value.key: value.value for array in found for status in array.status
                      if status.name == "gap/clipseg: camera" for value in status.values}
            return int(values.get("frames without depth", "0")) > 0
        peer.repeat(send, counted, "frames without depth")
