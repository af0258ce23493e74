# SPDX-License-Identifier: Apache-2.0
"""The messages about the objects of one picture."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Quaternion, Vector3
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray
from clipseg_ros.perception.found import FoundObject
from clipseg_ros.perception.poses import Pose as ObjectPose
from clipseg_ros.ros.outputs.images import to_image
from clipseg_ros.ros.outputs.poses import unknown_pose

if TYPE_CHECKING:
    from clipseg_ros.ros.seen import Seen

_NAN = float("nan")


def to_array(seen: Seen) -> SegmentedObjectArray:
    """All that is known of one frame's objects."""
    return SegmentedObjectArray(
        header=seen.header, pose_frame_id=seen.pose_frame_id, prompts=list(seen.active.texts),
        thresholds=list(seen.active.thresholds), scores=seen.scores,
        objects=[to_object(one, seen.header, mask=seen.with_masks) for one in seen.objects])


def to_object(found: FoundObject, header: Header, *, mask: bool = True) -> SegmentedObject:
    """The message of one object; `header` is the picture's, without `mask` that field stays empty."""
    region = found.region
    x, y, width, height = region.roi
    u, v = found.location.pixel
    pose = found.pose
    return SegmentedObject(
        prompt=found.prompt, prompt_index=found.prompt_index, track_id=found.track_id, score=region.score,
        roi=RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height), area=region.area,
        centroid_u=u, centroid_v=v, bearing=_vector(found.location.bearing), has_pose=pose is not None,
        pose=_pose(pose), extent=_vector(None if pose is None else pose.extent),
        mask=to_image(region.mask, "mono8", header) if mask else Image())


def _vector(values: np.ndarray | None) -> Vector3:
    x, y, z = (_NAN,) * 3 if values is None else values.tolist()
    return Vector3(x=x, y=y, z=z)


def _pose(pose: ObjectPose | None) -> PoseWithCovariance:
    if pose is None:
        return unknown_pose()
    position = Point(**dict(zip("xyz", pose.position.tolist())))
    orientation = Quaternion(**dict(zip("xyzw", pose.orientation.tolist())))
    return PoseWithCovariance(pose=Pose(position=position, orientation=orientation),
                              covariance=pose.covariance.ravel())
