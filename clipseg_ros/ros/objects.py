# SPDX-License-Identifier: Apache-2.0
"""The objects of one picture: connected regions, where they are, and the messages about them."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, PoseWithCovariance, Quaternion, Vector3
from geometry_msgs.msg import Pose as PoseMessage
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray
from clipseg_ros.perception.location import Location, locate
from clipseg_ros.perception.poses import Pose
from clipseg_ros.perception.regions import Region, find_regions
from clipseg_ros.ros.frame_result import FrameResult
from clipseg_ros.ros.messages import to_image
from clipseg_ros.ros.pose_messages import unknown_pose
from clipseg_ros.ros.view import View

_NAN = float("nan")


@dataclass(frozen=True)
class FoundObject:
    """A region of a prompt.

    Attributes
    ----------
    location : in the camera's optical frame
    pose : in the frame in which the objects are published; None where it is unknown
    track_id : 0 while the object is not followed
    """

    region: Region
    prompt: str
    prompt_index: int
    location: Location
    pose: Pose | None
    track_id: int = 0


def find_objects(result: FrameResult, view: View, parameters: Any) -> list[FoundObject]:
    """The regions of each prompt in the prompts' order, the best score first within a prompt."""
    found = []
    for index, (text, threshold) in enumerate(zip(result.active.texts, result.thresholds, strict=True)):
        regions = find_regions(result.maps[index], threshold, min_area=parameters["min_area"],
                               max_regions=parameters["max_regions"], full_scale=result.full_scale)
        locations = locate(regions, view.camera, view.depth, point=parameters["point"])
        found += [FoundObject(region, text, index, location, location.pose)
                  for region, location in zip(regions, locations)]
    return found


def to_array(result: FrameResult, header: Header, found: Sequence[FoundObject],
             pose_frame_id: str) -> SegmentedObjectArray:
    """The message of one frame's objects."""
    return SegmentedObjectArray(
        header=header, pose_frame_id=pose_frame_id, prompts=list(result.active.texts),
        thresholds=list(result.active.thresholds), scores=result.scores,
        objects=[to_object(one, header) for one in found])


def to_object(found: FoundObject, header: Header) -> SegmentedObject:
    """The message of one object; `header` is the picture's."""
    region = found.region
    x, y, width, height = region.roi
    u, v = found.location.pixel
    pose = found.pose
    return SegmentedObject(
        prompt=found.prompt, prompt_index=found.prompt_index, track_id=found.track_id, score=region.score,
        roi=RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height), area=region.area,
        centroid_u=u, centroid_v=v, bearing=_vector(found.location.bearing), has_pose=pose is not None,
        pose=_pose(pose), extent=_vector(None if pose is None else pose.extent),
        mask=to_image(region.mask, "mono8", header))


def _vector(values: np.ndarray | None) -> Vector3:
    x, y, z = (_NAN,) * 3 if values is None else values.tolist()
    return Vector3(x=x, y=y, z=z)


def _pose(pose: Pose | None) -> PoseWithCovariance:
    if pose is None:
        return unknown_pose()
    position = Point(**dict(zip("xyz", pose.position.tolist())))
    orientation = Quaternion(**dict(zip("xyzw", pose.orientation.tolist())))
    return PoseWithCovariance(pose=PoseMessage(position=position, orientation=orientation),
                              covariance=pose.covariance.ravel())
