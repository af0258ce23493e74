# SPDX-License-Identifier: Apache-2.0
"""The objects' poses, for programs that want only standard messages."""
from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseArray, PoseStamped, PoseWithCovariance, Quaternion
from std_msgs.msg import Header

from clipseg_ros.messages import objects
from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray
from clipseg_ros.perception.approach import approach
from clipseg_ros.perception.transforms import Transform
from clipseg_ros.ros.outputs.types import TYPES

UP_IN_CAMERA = np.array([0.0, -1.0, 0.0])
UP_ELSEWHERE = np.array([0.0, 0.0, 1.0])
"""REP 103: z is up in all frames but the optical ones of cameras, where y is down."""


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


def from_transform(transform: Transform) -> Pose:
    """The pose of what has its own axes as the transform's source."""
    return Pose(position=Point(**dict(zip("xyz", transform.translation.tolist()))),
                orientation=Quaternion(**dict(zip("xyzw", transform.rotation.tolist()))))


def up_of(array: SegmentedObjectArray) -> np.ndarray:
    """(3,) float64 unit vector that points up in the frame of the poses, as far as names tell."""
    return UP_IN_CAMERA if array.pose_frame_id == array.header.frame_id else UP_ELSEWHERE


def approach_of(one: SegmentedObject, viewpoint: np.ndarray, up: np.ndarray, *, standoff: float) -> Pose:
    """The pose before an object, as `perception.approach` has it, in the frame of its pose; NaN without one."""
    if not one.has_pose:
        return unknown_pose().pose
    return from_transform(approach(to_transform(one.pose.pose).translation, viewpoint, up, standoff=standoff))


def to_pose_array(array: SegmentedObjectArray) -> PoseArray:
    """The poses of the objects that have one, in metres, the best score of all prompts first."""
    return objects.to_pose_array(TYPES, array)


def to_pose(array: SegmentedObjectArray) -> PoseStamped | None:
    """The pose, in metres, of the first prompt's best object that has one; None if there is none."""
    located = (one for one in array.objects if one.has_pose and one.prompt_index == 0)
    best = max(located, key=lambda one: one.score, default=None)
    return None if best is None else PoseStamped(header=pose_header(array), pose=best.pose.pose)
