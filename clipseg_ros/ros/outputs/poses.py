# SPDX-License-Identifier: Apache-2.0
"""The objects' poses, for programs that want only standard messages."""
from __future__ import annotations

from geometry_msgs.msg import Pose, PoseArray, PoseStamped, PoseWithCovariance
from std_msgs.msg import Header

from clipseg_ros.messages import objects
from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.perception.transforms import Transform
from clipseg_ros.ros.outputs.types import TYPES


def pose_header(array: SegmentedObjectArray) -> Header:
    """The image's stamp, and the frame of the objects' poses."""
    return objects.pose_header(TYPES, array)


def unknown_pose() -> PoseWithCovariance:
    """The pose of an object that has none: NaN throughout."""
    return objects.unknown_pose(TYPES)


def to_transform(pose: Pose) -> Transform:
    """From an object's own axes to the frame of its pose. ValueError for one that is not finite."""
    at, turn = pose.position, pose.orientation
    return Transform.from_quaternion((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w))


def to_pose_array(array: SegmentedObjectArray) -> PoseArray:
    """The poses of the objects that have one, in metres, the best score of all prompts first."""
    return objects.to_pose_array(TYPES, array)


def to_pose(array: SegmentedObjectArray) -> PoseStamped | None:
    """The pose, in metres, of the first prompt's best object that has one; None if there is none."""
    located = (one for one in array.objects if one.has_pose and one.prompt_index == 0)
    best = max(located, key=lambda one: one.score, default=None)
    return None if best is None else PoseStamped(header=pose_header(array), pose=best.pose.pose)
