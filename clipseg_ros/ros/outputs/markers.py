# SPDX-License-Identifier: Apache-2.0
"""What RViz draws of the objects: boxes, axes, labels, and the directions of those without a pose."""
from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import Point, Pose, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray
from clipseg_ros.perception.overlay import COLOURS
from clipseg_ros.ros.outputs.poses import UP_IN_CAMERA, pose_header, to_transform, up_of

THINNEST = 0.01
"""Metres that a box measures at least along each axis; flat things could not be seen otherwise."""
BOX_OPACITY = 0.4
AXIS_LENGTHS = (0.05, 0.5)
"""Shortest and longest axes, in metres; between them they are half as long as the object."""
LABEL_HEIGHTS = (0.03, 0.15)
"""Lowest and highest letters, in metres; between them they are a quarter of the object's length."""
BEARING_LENGTH = 1.0
"""Metres. How far away the object is, is not known."""

_ARROW = Vector3(x=0.01, y=0.03, z=0.06)
"""Diameters of shaft and head, and length of the head, in metres."""
_LINE_WIDTH = 0.05
"""Of an axis, as a share of its length."""
_WHITE = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
_AXIS_COLOURS = [ColorRGBA(r=1.0, a=1.0), ColorRGBA(g=1.0, a=1.0), ColorRGBA(b=1.0, a=1.0)]


def to_markers(array: SegmentedObjectArray) -> MarkerArray:
    """The markers of one image's objects, after one that deletes those of the image before.

    An object with a pose gets a CUBE of its extent (namespace `box`), the axes of its pose as a LINE_LIST (`axes`, x
    red, y green, z blue) and a text above it (`label`: prompt, score and track id), in the frame of the poses. One of
    which only the direction is known gets an ARROW of 1 m (`bearing`) and the text, in the camera's frame. Boxes and
    arrows have the prompt's colour in the overlay. An object's markers have its place in the array for an id.
    """
    header = pose_header(array)
    up = up_of(array)
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for index, one in enumerate(array.objects):
        if one.has_pose:
            markers += _in_space(one, index, header, up)
        elif not math.isnan(one.bearing.z):
            markers += _in_direction(one, index, array.header)
    return MarkerArray(markers=markers)


def _in_space(one: SegmentedObject, index: int, header: Header, up: np.ndarray) -> list[Marker]:
    pose = one.pose.pose
    size = np.maximum([one.extent.x, one.extent.y, one.extent.z], THINNEST)
    x, y, z = size.tolist()
    box = Marker(header=header, ns="box", id=index, type=Marker.CUBE, pose=pose, scale=Vector3(x=x, y=y, z=z),
                 color=_colour(one, BOX_OPACITY))
    height = _between(LABEL_HEIGHTS, max(x, y, z) / 4)
    at = to_transform(pose)
    top = np.abs(up @ at.matrix) @ size / 2
    label = _label(one, index, header, at.translation + (top + height) * up, height)
    return [box, _axes(index, header, pose, _between(AXIS_LENGTHS, max(x, y, z) / 2)), label]


def _in_direction(one: SegmentedObject, index: int, header: Header) -> list[Marker]:
    tip = BEARING_LENGTH * np.array([one.bearing.x, one.bearing.y, one.bearing.z])
    arrow = Marker(header=header, ns="bearing", id=index, type=Marker.ARROW, points=[Point(), _point(tip)],
                   scale=_ARROW, color=_colour(one, 1.0))
    height = LABEL_HEIGHTS[0]
    return [arrow, _label(one, index, header, tip + height * UP_IN_CAMERA, height)]


def _axes(index: int, header: Header, pose: Pose, length: float) -> Marker:
    points = [point for tip in length * np.eye(3) for point in (Point(), _point(tip))]
    colours = [colour for colour in _AXIS_COLOURS for _ in range(2)]
    return Marker(header=header, ns="axes", id=index, type=Marker.LINE_LIST, pose=pose, points=points, colors=colours,
                  scale=Vector3(x=_LINE_WIDTH * length), color=_WHITE)


def _label(one: SegmentedObject, index: int, header: Header, position: np.ndarray, height: float) -> Marker:
    text = f"{one.prompt} {one.score:.2f}" + (f" #{one.track_id}" if one.track_id else "")
    return Marker(header=header, ns="label", id=index, type=Marker.TEXT_VIEW_FACING,
                  pose=Pose(position=_point(position)), scale=Vector3(z=height), color=_WHITE, text=text)


def _colour(one: SegmentedObject, opacity: float) -> ColorRGBA:
    r, g, b = (COLOURS[one.prompt_index % len(COLOURS)] / 255).tolist()
    return ColorRGBA(r=r, g=g, b=b, a=opacity)


def _point(position: np.ndarray) -> Point:
    x, y, z = position.tolist()
    return Point(x=x, y=y, z=z)


def _between(limits: tuple[float, float], value: float) -> float:
    return min(max(value, limits[0]), limits[1])
