# SPDX-License-Identifier: Apache-2.0
"""The real node's outputs for planners, judged as those who take them do."""
from __future__ import annotations

import contextlib

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import noise, pixels, stamp  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, PointCloud2  # noqa: E402
from walls import info, wall  # noqa: E402

from clipseg_ros.msg import SegmentedObjectArray  # noqa: E402
from clipseg_ros.srv import Segment, Select  # noqa: E402

pytestmark = pytest.mark.ros

LABELS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class RgbdCamera:
    """Films a wall."""

    def __init__(self, peer) -> None:
        self._peer = peer
        self._publishers = [peer.node.create_publisher(kind, topic, 10) for kind, topic in (
            (CameraInfo, "camera_info"), (Image, "depth"), (Image, "image"))]
        self._stamp = 100

    def film(self) -> None:
        self._stamp += 1
        for publisher, message in zip(self._publishers, (info(), wall(self._stamp), noise(self._stamp))):
            publisher.publish(message)

    def close(self) -> None:
        for publisher in self._publishers:
            self._peer.node.destroy_publisher(publisher)


@pytest.fixture
def camera(peer, node):
    with contextlib.closing(RgbdCamera(peer)) as camera:
        yield camera


class SemanticLayer:
    """What Nav2's semantic segmentation layer asks of its sources: quality of service, equal stamps and numbers of
    pixels, known classes; it buffers the points of each class.
    """

    def __init__(self, classes: dict[int, str]) -> None:
        self.classes = classes
        self.heard: dict[str, list] = {"label_mask": [], "confidence": [], "points": []}
        self.tiles: dict[str, int] = {}

    def synchronised(self):
        """The newest set of messages of one stamp, None before there is one."""
        masks, sure, clouds = ({stamp(one): one for one in messages} for messages in self.heard.values())
        both = masks.keys() & sure.keys() & clouds.keys()
        return (masks[max(both)], sure[max(both)], clouds[max(both)]) if both else None

    def buffer(self, mask, sure, cloud) -> None:
        assert mask.width * mask.height == cloud.width * cloud.height
        assert len(mask.data) >= mask.width * mask.height and len(sure.data) >= mask.width * mask.height
        points = np.frombuffer(cloud.data, np.float32).reshape(-1, 4)
        for index in range(mask.width * mask.height):
            name = self.classes.get(mask.data[index])
            if np.isfinite(points[index, 2]) and name is not None:
                self.tiles[name] = self.tiles.get(name, 0) + 1
                assert sure.data[index] > 0


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_semantic_layer_takes_what_it_needs(peer, node, camera, scale):
    peer.set_prompts("nothing=0.999; everything=0.001")
    assert peer.set_parameter("label_scale", scale).successful
    layer = SemanticLayer({1: "nothing", 2: "everything"})
    kinds = {"label_mask": Image, "confidence": Image, "points": PointCloud2}
    with contextlib.ExitStack() as stack:
        for name, kind in kinds.items():
            layer.heard[name] = stack.enter_context(peer.listener(kind, f"/clipseg/{name}", qos_profile_sensor_data))
        mask, sure, cloud = peer.repeat(camera.film, lambda: (found := layer.synchronised()) and not np.isnan(
            np.frombuffer(found[2].data, np.float32)[2]) and found, "a set of messages with depth")
    layer.buffer(mask, sure, cloud)
    count = int(64 * scale) * int(48 * scale)
    assert (mask.encoding, sure.encoding, mask.width, cloud.height) == ("mono8", "mono8", 64 * scale, 48 * scale)
    assert layer.tiles == {"everything": count}
    assert mask.header == sure.header == cloud.header
    assert peer.set_parameter("label_scale", 1.0).successful


def test_the_labels_meanings_are_there_before_the_first_label_image(peer, node, camera):
    vision_msgs = pytest.importorskip("vision_msgs.msg")
    peer.set_prompts("a red cup; sidewalk=0.25")
    with peer.listener(vision_msgs.LabelInfo, "/clipseg/label_info", LABELS) as infos:
        peer.wait(lambda: infos and [(one.class_id, one.class_name) for one in infos[-1].class_map] == [
            (1, "a red cup"), (2, "sidewalk")], "the classes, latched, without any image")
        order: list = []
        with peer.listener(Image, "/clipseg/label_mask") as masks:
            peer.repeat(camera.film, lambda: masks, "a label image")
            peer.set_prompts("grass")
            peer.wait(lambda: infos[-1].class_map[0].class_name == "grass", "the new classes")
            order.append(len(infos[-1].class_map))
    assert order == [1]


def test_of_one_object_there_is_a_mask_for_pose_estimators(peer, node, camera):
    peer.set_prompts("nothing=0.999; everything=0.001")
    with peer.listener(Image, "/clipseg/object_mask") as masks, peer.listener(Image, "/clipseg/instances") as instances, \
            peer.listener(SegmentedObjectArray, "/clipseg/objects") as objects:
        peer.repeat(camera.film, lambda: objects and instances and masks, "an object")
        one = objects[-1].objects[0]
        assert instances[-1].encoding == "16UC1"
        assert set(np.unique(np.frombuffer(instances[-1].data, np.uint16))) == {one.track_id}
        assert not pixels(masks[-1]).any(), "the first prompt has no object"
        for choice, shown in ((dict(prompt="everything"), 255), (dict(prompt="nothing"), 0),
                              (dict(track_id=one.track_id), 255), (dict(), 0)):
            answer = peer.call(Select, "/clipseg/select", **choice)
            assert answer.success, answer.message
            masks.clear()
            peer.repeat(camera.film, lambda: masks and (pixels(masks[-1]) == shown).all(), f"a mask of {choice}")
            assert (masks[-1].encoding, masks[-1].width, masks[-1].height) == ("mono8", 64, 48)


@pytest.mark.parametrize(("choice", "says"), [
    (dict(track_id=4_000_000), "no object 4000000"), (dict(prompt="lamp"), "'lamp' is not looked for"),
    (dict(camera="rear"), "no camera 'rear'"),
])
def test_a_choice_that_is_none_is_refused(peer, node, choice, says):
    peer.set_prompts("everything=0.001")
    answer = peer.call(Select, "/clipseg/select", **choice)
    assert not answer.success and says in answer.message


def test_the_service_gives_each_objects_points_when_asked(peer, node, camera):
    with peer.listener(SegmentedObjectArray, "/clipseg/objects") as objects:
        peer.set_prompts("everything=0.001")
        peer.repeat(camera.film, lambda: objects and objects[-1].objects and objects[-1].objects[0].has_pose, "a pose")
    for wanted in (True, False):
        answer = peer.call(Segment, "/clipseg/segment", prompts=["everything=0.001"], image=noise(3), depth=wall(3),
                           camera_info=info(), with_clouds=wanted)
        assert answer.success, answer.message
        assert [cloud.width * cloud.height for cloud in answer.clouds] == ([64 * 48] if wanted else [])
    assert answer.objects[0].grasp_width == pytest.approx(1.92, abs=0.1), "48 pixels of 4 cm"


def test_the_scene_lacks_the_objects(peer, node, camera):
    peer.set_prompts("everything=0.001")
    with peer.listener(PointCloud2, "/clipseg/scene_cloud") as clouds:
        def known():
            return clouds and np.isfinite(np.frombuffer(clouds[-1].data, np.float32).reshape(-1, 4)[:, 2]).sum()

        peer.repeat(camera.film, lambda: clouds, "a cloud")
        assert known() == 0
        assert peer.set_parameter("scene_without", ["lamp"]).successful
        peer.repeat(camera.film, lambda: known() == 64 * 48, "all points")
    assert peer.set_parameter("scene_without", [""]).successful
