# SPDX-License-Identifier: Apache-2.0
"""The objects' poses, for programs that want only standard messages."""
from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseArray, PoseStamped, PoseWithCovariance, Quaternion
from std_msgs.msg import Header

from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.perception.transforms import Transform


def pose_header(array: SegmentedObjectArray) -> Header:
    """The image's stamp, and the frame of the objects' poses."""
    return Header(stamp=array.header.stamp, frame_id=array.pose_frame_id)


def unknown_pose() -> PoseWithCovariance:
    """The pose of an object that has none: NaN throughout."""
    nan = math.nan
    return PoseWithCovariance(pose=Pose(position=Point(x=nan, y=nan, z=nan),
                                        orientation=Quaternion(x=nan, y=nan, z=nan, w=nan)),
                              covariance=np.full(36, nan))


def to_transform(pose: Pose) -> Transform:
    """From an object's own axes to the frame of its pose. ValueError for one that is not finite."""
    at, turn = pose.position, pose.orientation
    return Transform.from_quaternion((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w))


def to_pose_array(array: SegmentedObjectArray) -> PoseArray:
    """The poses of the objects that have one, in metres, the best score of all prompts first."""
    located = sorted((one for one in array.objects if one.has_pose), key=lambda one: -one.score)
    return PoseArray(header=pose_header(array), poses=[one.pose.pose for one in located])


def to_pose(array: SegmentedObjectArray) -> PoseStamped | None:
    """The pose, in metres, of the first prompt's best object that has one; None if there is none."""
    located = (one for one in array.objects if one.has_pose and one.prompt_index == 0)
    best = max(located, key=lambda one: one.score, default=None)
    return None if best is None else PoseStamped(header=pose_header(array), pose=best.pose.pose)
