# SPDX-License-Identifier: Apache-2.0
"""The package's own messages in recordings are those of the node."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags")
from recordings import ROS1, ROS2, header  # noqa: E402

from clipseg_ros.bags import types  # noqa: E402
from clipseg_ros.messages import objects  # noqa: E402
from clipseg_ros.perception.camera import Pinhole  # noqa: E402
from clipseg_ros.perception.found import locate_objects  # noqa: E402
from clipseg_ros.perception.regions import region_of  # noqa: E402


def found():
    """One object with a pose, one in a picture without depth."""
    mask = np.zeros((48, 64), np.uint8)
    mask[10:31, 20:45] = 255
    region = region_of(mask, (0, 0), 0.75)
    camera, depth = Pinhole(50.0, 50.0, 31.5, 23.5, (64, 48)), np.full((48, 64), 1.5, np.float32)
    return [*locate_objects([[region], []], ["mug", "a chair"], camera, depth),
            *locate_objects([[], [region]], ["mug", "a chair"])]


def test_a_header_of_ros_1_becomes_one_of_ros_2():
    made = types.to_header(header(ROS1.types, 12_000_000_034, "camera"))
    assert (made.stamp.sec, made.stamp.nanosec, made.frame_id) == (12, 34, "camera")
    assert ROS2.serialize_cdr(made, "std_msgs/msg/Header")


@pytest.mark.ros
def test_the_messages_are_those_of_the_node():
    pytest.importorskip("rclpy")
    pytest.importorskip("clipseg_ros.msg")
    from builtin_interfaces.msg import Time
    from rclpy.serialization import deserialize_message, serialize_message
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    from clipseg_ros.ros.outputs.images import to_image
    from clipseg_ros.ros.outputs.types import TYPES

    node, own = Header(stamp=Time(sec=12, nanosec=34), frame_id="camera"), header(ROS2.types, 12_000_000_034, "camera")
    more = {"pose_frame_id": "map", "prompts": ("mug", "a chair"), "thresholds": (0.5, 0.25), "scores": [0.9, 0.1]}
    arrays = [objects.to_array(kinds, about, objects=[
        objects.to_object(kinds, one, image(one.region.mask, "mono8", about)) for one in found()], **more)
        for kinds, about, image in ((TYPES, node, to_image), (types.written(), own, types.to_image))]
    for kind, made in ((types.OBJECTS, arrays), (types.POSES, [
            objects.to_pose_array(kinds, array) for kinds, array in zip((TYPES, types.written()), arrays)])):
        sent = deserialize_message(bytes(types.ros2().serialize_cdr(made[1], kind)), type(made[0]))
        expected = deserialize_message(serialize_message(made[0]), type(made[0]))
        assert str(sent) == str(expected), "as text, since NaN is not itself"
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    sent = types.ros2().serialize_cdr(types.to_image(pixels, "32FC1", own), types.IMAGE)
    assert deserialize_message(bytes(sent), Image) == to_image(pixels, "32FC1", node)


@pytest.mark.ros
@pytest.mark.parametrize("name", ["SegmentedObject", "SegmentedObjectArray"])
def test_the_definitions_have_the_hashes_that_ros_computes(name):
    index = pytest.importorskip("ament_index_python")
    share = Path(index.get_package_share_directory("clipseg_ros"))
    described = json.loads((share / "msg" / f"{name}.json").read_text())["type_hashes"]
    hashes = {one["type_name"]: one["hash_string"] for one in described}
    assert types.ros2().hash_rihs01(f"clipseg_ros/msg/{name}") == hashes[f"clipseg_ros/msg/{name}"]
