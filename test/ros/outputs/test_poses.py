# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from builtin_interfaces.msg import Time  # noqa: E402
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Quaternion  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray  # noqa: E402
from clipseg_ros.ros.outputs.poses import pose_header, to_pose, to_pose_array  # noqa: E402

pytestmark = pytest.mark.ros

STAMP = Time(sec=12, nanosec=34)


def found(prompt_index: int, score: float, x: float | None) -> SegmentedObject:
    """At x metres; without a pose where x is None."""
    if x is None:
        return SegmentedObject(prompt_index=prompt_index, score=score)
    pose = Pose(position=Point(x=x, y=-2.0, z=3.0), orientation=Quaternion(x=1.0, y=0.0, z=0.0, w=0.0))
    return SegmentedObject(prompt_index=prompt_index, score=score, has_pose=True, pose=PoseWithCovariance(pose=pose))


def message(*objects: SegmentedObject) -> SegmentedObjectArray:
    return SegmentedObjectArray(header=Header(stamp=STAMP, frame_id="camera"), pose_frame_id="map",
                                objects=list(objects))


def test_the_header_has_the_images_stamp_and_the_frame_of_the_poses():
    array = message()
    assert pose_header(array) == Header(stamp=STAMP, frame_id="map")
    assert array.header.frame_id == "camera"


@pytest.mark.parametrize(("objects", "expected"), [
    ([], []),
    ([(0, 0.9, None)], []),
    ([(0, 0.6, 0.0), (0, 0.5, 1.0)], [0.0, 1.0]),
    ([(0, 0.6, 0.0), (0, 0.5, 1.0), (1, 0.9, 2.0), (2, 0.55, 3.0)], [2.0, 0.0, 3.0, 1.0]),
    ([(0, 0.9, None), (0, 0.6, 1.0), (1, 0.7, None), (1, 0.65, 2.0)], [2.0, 1.0]),
    ([(0, 0.5, 0.0), (1, 0.5, 1.0), (2, 0.5, 2.0)], [0.0, 1.0, 2.0]),
])
def test_the_best_pose_of_all_prompts_comes_first(objects, expected):
    poses = to_pose_array(message(*(found(*one) for one in objects)))
    assert [pose.position.x for pose in poses.poses] == expected
    assert poses.header == Header(stamp=STAMP, frame_id="map")


@pytest.mark.parametrize(("objects", "expected"), [
    ([], None),
    ([(0, 0.9, None)], None),
    ([(1, 0.9, 1.0)], None),
    ([(0, 0.6, 1.0), (1, 0.9, 2.0)], 1.0),
    ([(0, 0.9, None), (0, 0.6, 1.0), (0, 0.5, 2.0)], 1.0),
    ([(0, 0.5, 2.0), (0, 0.6, 1.0)], 1.0),
])
def test_the_pose_is_that_of_the_first_prompts_best_object(objects, expected):
    pose = to_pose(message(*(found(*one) for one in objects)))
    assert (pose and pose.pose.position.x) == expected
    assert pose is None or pose.header == Header(stamp=STAMP, frame_id="map")


def test_poses_are_whole_and_can_be_sent():
    array = message(found(0, 0.5, 1.0))
    wanted = array.objects[0].pose.pose
    poses, pose = to_pose_array(array), to_pose(array)
    assert deserialize_message(serialize_message(poses), type(poses)).poses == [wanted]
    assert deserialize_message(serialize_message(pose), type(pose)).pose == wanted
