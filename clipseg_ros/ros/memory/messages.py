# SPDX-License-Identifier: Apache-2.0
"""What is remembered, as messages."""
from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from clipseg_ros.memory import RecalledObject
from clipseg_ros.memory.keyframe import Keyframe
from clipseg_ros.msg import RememberedObject, SegmentedObject
from clipseg_ros.perception.overlay import draw_outline
from clipseg_ros.perception.transforms import Transform
from clipseg_ros.ros.outputs.poses import from_transform, unknown_pose

_SHAPE = np.array([(-0.08, -0.06, 0.12), (0.08, -0.06, 0.12), (0.08, 0.06, 0.12), (-0.08, 0.06, 0.12)])
"""Corners of what a drawn camera sees, in metres in its optical frame."""
_LINE = 0.005
_COLOUR = ColorRGBA(r=0.0, g=0.62, b=1.0, a=1.0)


def to_remembered(one: RecalledObject, *, thumbnail: bool) -> RememberedObject:
    """The message of a recalled object."""
    pose, frame = one.found.pose, one.view
    nan = math.nan
    extent = Vector3(x=nan, y=nan, z=nan) if pose is None else Vector3(**dict(zip("xyz", pose.extent.tolist())))
    return RememberedObject(
        prompt=one.prompt, prompt_index=one.prompt_index, score=one.score, has_pose=pose is not None, extent=extent,
        pose=unknown_pose().pose if pose is None else from_transform(Transform(pose.position, pose.orientation)),
        views=one.views, first_seen=to_time(one.first_seen), last_seen=to_time(one.last_seen), camera=frame.camera,
        camera_pose=from_transform(frame.pose), thumbnail=_thumbnail(one) if thumbnail else CompressedImage())


def to_segmented(one: RecalledObject) -> SegmentedObject:
    """The same for ~/find: an object that is not in any image, so without box, centroid and mask."""
    told = to_remembered(one, thumbnail=False)
    message = SegmentedObject(prompt=told.prompt, prompt_index=told.prompt_index, score=told.score,
                              has_pose=told.has_pose, extent=told.extent, pose=unknown_pose(),
                              grasp_width=one.found.pose.grasp_width if told.has_pose else math.nan)
    message.pose.pose = told.pose
    message.bearing.x = message.bearing.y = message.bearing.z = math.nan
    return message


def to_time(seconds: float) -> Time:
    """The stamp of a number of seconds, to the microsecond, which is as fine as the number is.

    Where a stamp cannot hold it, as after one of 2038 with more nanoseconds than a second has, the last or first that
    one can hold.
    """
    microseconds = min(max(round(seconds * 1e6), -2**31 * 10**6), 2**31 * 10**6 - 1)
    return Time(sec=microseconds // 10**6, nanosec=microseconds % 10**6 * 1000)


def bounds(frames: Sequence[Keyframe]) -> np.ndarray:
    """(2, 3) float64 lowest and highest coordinates of the cameras, NaN where there is none."""
    if not frames:
        return np.full((2, 3), np.nan)
    places = np.stack([frame.pose.translation for frame in frames])
    return np.stack([places.min(axis=0), places.max(axis=0)])


def keyframe_markers(frames: Sequence[Keyframe], frame_id: str) -> MarkerArray:
    """A small drawn camera for each keyframe, after a marker that deletes earlier ones.

    Its namespace is the camera's name, its id the keyframe's number and its stamp that of the image.
    """
    edges = [(np.zeros(3), corner) for corner in _SHAPE] + list(zip(_SHAPE, np.roll(_SHAPE, -1, axis=0)))
    points = [Point(**dict(zip("xyz", end.tolist()))) for edge in edges for end in edge]
    markers = [Marker(header=Header(frame_id=frame_id), action=Marker.DELETEALL)]
    markers += [Marker(header=Header(stamp=to_time(frame.stamp), frame_id=frame_id), ns=frame.camera, id=frame.number,
                       type=Marker.LINE_LIST, pose=from_transform(frame.pose), points=points, color=_COLOUR,
                       scale=Vector3(x=_LINE)) for frame in frames]
    return MarkerArray(markers=markers)


def _thumbnail(one: RecalledObject) -> CompressedImage:
    """The best view with the thing's outline."""
    picture = one.view.rgb
    draw_outline(picture, one.found.region, one.prompt_index)
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    header = Header(stamp=to_time(one.view.stamp), frame_id=one.view.camera)
    return CompressedImage(header=header, format="rgb8; jpeg compressed bgr8", data=array("B", jpeg.tobytes()))
