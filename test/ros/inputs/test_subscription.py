# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import noise  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

pytestmark = pytest.mark.ros

RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def asked(peer) -> list[ReliabilityPolicy]:
    """What the node's image subscription asks for now."""
    return [info.qos_profile.reliability for info in peer.node.get_subscriptions_info_by_topic("/image")]


@pytest.mark.parametrize("qos", [RELIABLE, BEST_EFFORT, LATCHED])
def test_every_kind_of_publisher_is_heard(peer, node, qos):
    with peer.publisher(Image, "/image", qos) as image, peer.listener(Image, "/clipseg/mask") as masks:
        peer.repeat(lambda: image.publish(noise(1)), lambda: masks, "a mask")
        peer.wait(lambda: asked(peer) == [qos.reliability], f"a {qos.reliability.name.lower()} subscription")


def test_it_follows_publishers_that_come_and_go(peer, node):
    with peer.listener(Image, "/clipseg/mask") as masks, peer.publisher(Image, "/image", RELIABLE) as reliable:
        def heard(publisher, stamp: int) -> None:
            peer.repeat(lambda: publisher.publish(noise(stamp)),
                        lambda: any(mask.header.stamp.sec == stamp for mask in masks), f"the mask of image {stamp}")
        heard(reliable, 1)
        peer.wait(lambda: asked(peer) == [ReliabilityPolicy.RELIABLE], "a reliable subscription")
        with peer.publisher(Image, "/image", BEST_EFFORT) as best_effort:
            heard(best_effort, 2)
            heard(reliable, 3)
            assert asked(peer) == [ReliabilityPolicy.BEST_EFFORT]
        peer.wait(lambda: asked(peer) == [ReliabilityPolicy.RELIABLE], "a reliable subscription again")
        heard(reliable, 4)


def test_another_type_on_the_topic_is_reported(peer, node):
    with peer.publisher(CompressedImage, "/image"):
        peer.wait(lambda: "peer publishes sensor_msgs/msg/CompressedImage, which cannot be heard" in node.log,
                  "a warning")


def test_the_hint_names_the_parameter_of_that_topic(peer, start_node):
    node = start_node(namespace="/hint")
    with peer.publisher(CompressedImage, "/hint/image"), peer.publisher(CompressedImage, "/hint/depth"), \
            peer.publisher(Image, "/hint/camera_info"):
        for topic, ending in (("image", "sensor_msgs/msg/Image is needed (see the parameter image_transport)"),
                              ("depth", "sensor_msgs/msg/Image is needed (see the parameter depth_transport)"),
                              ("camera_info", "sensor_msgs/msg/CameraInfo is needed\n")):
            peer.wait(lambda topic=topic, ending=ending: any(
                f"/hint/{topic}: " in line and line.endswith(ending) for line in node.log.splitlines(keepends=True)
                + node.log.splitlines()), f"a hint about {topic}")


def test_overrides_hold_and_a_mismatch_is_reported(peer, start_node):
    node = start_node(namespace="/strict", parameters={
        "qos_overrides./strict/image.subscription.reliability": "reliable",
        "qos_overrides./strict/depth.subscription.durability": "transient_local"})
    peer.wait_until_active(node, "/strict/clipseg")
    with peer.publisher(Image, "/strict/image", BEST_EFFORT), peer.publisher(Image, "/strict/depth", RELIABLE):
        peer.wait(lambda: "peer publishes best effort and cannot be heard" in node.log, "a warning")
        peer.wait(lambda: "peer publishes volatile and cannot be heard" in node.log, "a warning")
    infos = peer.node.get_subscriptions_info_by_topic("/strict/image")
    assert [info.qos_profile.reliability for info in infos] == [ReliabilityPolicy.RELIABLE]
    with peer.publisher(Image, "/strict/image", RELIABLE) as image, \
            peer.listener(Image, "/strict/clipseg/mask") as masks:
        peer.repeat(lambda: image.publish(noise(1)), lambda: masks, "a mask")
