# SPDX-License-Identifier: Apache-2.0
"""What was published once, and stays: a calibration or a still image from a latched publisher."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import noise  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.msg import SegmentedObjectArray  # noqa: E402
from clipseg_ros.srv import Segment  # noqa: E402

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_a_latched_calibration_is_heard_also_after_activating_again(peer, start_node):
    name = "/still/clipseg"
    info = CameraInfo(header=Header(frame_id="camera"), width=64, height=48,
                      k=[50.0, 0.0, 32.0, 0.0, 50.0, 24.0, 0.0, 0.0, 1.0])
    with peer.publisher(CameraInfo, "/still/camera_info", LATCHED) as infos, \
            peer.publisher(Image, "/still/image") as images, \
            peer.listener(SegmentedObjectArray, f"{name}/objects") as found:
        infos.publish(info)
        node = start_node(namespace="/still", parameters={"prompts": "['everything=0.001']"})
        peer.wait_until_active(node, name)
        for _ in range(2):
            found.clear()
            peer.repeat(lambda: images.publish(noise(1)),
                        lambda: any(one.bearing.z == one.bearing.z for m in found for one in m.objects), "a bearing")
            assert peer.change_state("deactivate", name)
            assert peer.change_state("activate", name)


def test_a_latched_still_image_is_heard(peer, start_node):
    with peer.publisher(Image, "/once/image", LATCHED) as images:
        images.publish(noise(7))
        node = start_node(namespace="/once")
        peer.wait_until_active(node, "/once/clipseg")

        def newest():
            answer = peer.call(Segment, "/once/clipseg/segment", prompts=["mug"])
            return answer.success and answer.header.stamp.sec == 7
        peer.wait(newest, "the image that was published once")
