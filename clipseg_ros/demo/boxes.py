# SPDX-License-Identifier: Apache-2.0
"""Draws where objects are in space onto the camera's picture: their boxes and axes."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from clipseg_ros.msg import SegmentedObject
from clipseg_ros.ros.outputs.poses import to_transform

AXES = ((229, 57, 53), (67, 160, 71), (30, 136, 229))
"""RGB of the x, y and z axis, as RViz has them."""

_WHITE = (255, 255, 255)
_NEAREST = 0.05
"""Metres in front of the camera from which on a point can be drawn."""
_CORNERS = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_EDGES = [(one, other) for one in range(8) for other in range(one) if (_CORNERS[one] != _CORNERS[other]).sum() == 1]


def draw_boxes(picture: np.ndarray, objects: Iterable[SegmentedObject], k: np.ndarray) -> np.ndarray:
    """The picture with the box and the axes of each object that has a pose.

    Parameters
    ----------
    picture : (H, W, 3) uint8 RGB; not changed
    objects : with poses in the optical frame of the picture's camera
    k : (3, 3) its intrinsic matrix, pixels

    Returns
    -------
    (H, W, 3) uint8, RGB
    """
    drawn = picture.copy()
    for one in objects:
        if one.has_pose:
            _draw(drawn, one, np.asarray(k, np.float64))
    return drawn


def _draw(picture: np.ndarray, one: SegmentedObject, k: np.ndarray) -> None:
    pose = to_transform(one.pose.pose)
    extent = np.array([one.extent.x, one.extent.y, one.extent.z])
    corners = pose.apply(_CORNERS * extent)
    length = 0.5 * max(extent[:2].min(), 0.2 * extent.max(), 0.02)
    tips = pose.apply(np.vstack([np.zeros(3), length * np.eye(3)]))
    if min(corners[:, 2].min(), tips[:, 2].min()) < _NEAREST:
        return
    corners, tips = _pixels(corners, k), _pixels(tips, k)
    for start, end in _EDGES:
        cv2.line(picture, corners[start], corners[end], _WHITE, 1, cv2.LINE_AA)
    for tip, colour in zip(tips[1:], AXES):
        cv2.line(picture, tips[0], tip, colour, 2, cv2.LINE_AA)


def _pixels(points: np.ndarray, k: np.ndarray) -> list[tuple[int, int]]:
    """Columns and rows of (n, 3) points, no further outside than OpenCV can draw."""
    seen = points @ k.T
    return [tuple(pixel) for pixel in np.clip(np.rint(seen[:, :2] / seen[:, 2:]), -9999, 9999).astype(int).tolist()]
