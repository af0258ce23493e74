# SPDX-License-Identifier: Apache-2.0
"""The messages about the objects of one picture, made of any classes that take all their fields by name."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from clipseg_ros.perception.found import FoundObject
from clipseg_ros.perception.poses import Pose as ObjectPose


class Types(Protocol):
    """The classes of messages of one library, under the messages' own names.

    floats : what that library has for a float32[], made of numbers
    """

    Header: Callable[..., Any]
    Point: Callable[..., Any]
    Pose: Callable[..., Any]
    PoseArray: Callable[..., Any]
    PoseWithCovariance: Callable[..., Any]
    Quaternion: Callable[..., Any]
    RegionOfInterest: Callable[..., Any]
    SegmentedObject: Callable[..., Any]
    SegmentedObjectArray: Callable[..., Any]
    Vector3: Callable[..., Any]
    floats: Callable[[Sequence[float]], Any]


def to_array(types: Types, header: Any, *, pose_frame_id: str, prompts: Sequence[str], thresholds: Sequence[float],
             scores: Sequence[float], objects: Sequence[Any]) -> Any:
    """The SegmentedObjectArray of a picture with this header; `objects` are messages, thresholds and scores 0 to 1."""
    return types.SegmentedObjectArray(
        header=header, pose_frame_id=pose_frame_id, prompts=list(prompts), thresholds=types.floats(thresholds),
        scores=types.floats(scores), objects=list(objects))


def to_object(types: Types, found: FoundObject, mask: Any) -> Any:
    """The SegmentedObject of one object; `mask` is the message of its pixels, or an empty one."""
    region = found.region
    x, y, width, height = region.roi
    u, v = found.location.pixel
    pose = found.pose
    return types.SegmentedObject(
        prompt=found.prompt, prompt_index=found.prompt_index, track_id=found.track_id, score=region.score,
        roi=types.RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height, do_rectify=False),
        area=region.area, centroid_u=u, centroid_v=v, bearing=_vector(types, found.location.bearing),
        has_pose=pose is not None, pose=_pose(types, pose),
        extent=_vector(types, None if pose is None else pose.extent),
        grasp_width=math.nan if pose is None else pose.grasp_width, mask=mask)


def unknown_pose(types: Types) -> Any:
    """The PoseWithCovariance of an object that has none: NaN throughout."""
    nan = math.nan
    return types.PoseWithCovariance(pose=types.Pose(position=types.Point(x=nan, y=nan, z=nan),
                                                    orientation=types.Quaternion(x=nan, y=nan, z=nan, w=nan)),
                                    covariance=np.full(36, nan))


def pose_header(types: Types, array: Any) -> Any:
    """The Header with the image's stamp and the frame of the poses of a SegmentedObjectArray."""
    return types.Header(stamp=array.header.stamp, frame_id=array.pose_frame_id)


def to_pose_array(types: Types, array: Any) -> Any:
    """The PoseArray, in metres, of the objects that have a pose, the best score of all prompts first."""
    located = sorted((one for one in array.objects if one.has_pose), key=lambda one: -one.score)
    return types.PoseArray(header=pose_header(types, array), poses=[one.pose.pose for one in located])


def _vector(types: Types, values: np.ndarray | None) -> Any:
    x, y, z = (math.nan,) * 3 if values is None else values.tolist()
    return types.Vector3(x=x, y=y, z=z)


def _pose(types: Types, pose: ObjectPose | None) -> Any:
    if pose is None:
        return unknown_pose(types)
    position = types.Point(**dict(zip("xyz", pose.position.tolist())))
    orientation = types.Quaternion(**dict(zip("xyzw", pose.orientation.tolist())))
    return types.PoseWithCovariance(pose=types.Pose(position=position, orientation=orientation),
                                    covariance=pose.covariance.ravel())
