# SPDX-License-Identifier: Apache-2.0
"""Measured points with their colours, as point clouds."""
from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING

import cv2
import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from clipseg_ros.perception.depth import to_points

if TYPE_CHECKING:
    from clipseg_ros.ros.seen import Seen

MARGIN = 1 / 160
"""Share of an image's width around an object in which depth may be a mixture of its own and of what is behind it."""

_FIELDS = [PointField(name=name, offset=4 * place, datatype=PointField.FLOAT32, count=1)
           for place, name in enumerate(("x", "y", "z", "rgb"))]


def points_cloud(seen: Seen) -> PointCloud2:
    """The organised cloud whose pixels are those of the label images; NaN where nothing was measured."""
    return to_colour_cloud(seen.points, seen.sampled(seen.frame.rgb), seen.header)


def scene_cloud(seen: Seen) -> PointCloud2:
    """What `points_cloud` has but the objects of the prompts that the settings leave out, and what is around them."""
    covered = np.zeros(seen.maps.size, np.uint8)
    for one in seen.left_out:
        x, y, width, height = one.region.roi
        box = covered[y:y + height, x:x + width]
        np.bitwise_or(box, one.region.mask, out=box)
    reach = 2 * max(round(seen.maps.size[1] * MARGIN), 1) + 1
    covered = cv2.dilate(covered, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    points = np.where(seen.sampled(covered)[..., None] > 0, np.float32(np.nan), seen.points)
    return to_colour_cloud(points, seen.sampled(seen.frame.rgb), seen.header)


def object_clouds(seen: Seen) -> list[PointCloud2]:
    """Of each object all measured points of its pixels, unordered; empty ones without depth or calibration."""
    camera, depth, _ = seen.space
    clouds = []
    for one in seen.objects:
        x, y, width, height = one.region.roi
        box = slice(y, y + height), slice(x, x + width)
        inside = one.region.mask > 0
        points = np.zeros((0, 3), np.float32)
        colours = seen.frame.rgb[box][inside]
        if camera is not None and depth is not None:
            points = to_points(camera.rays[box][inside], depth[box][inside])
            measured = np.isfinite(points).all(axis=1)
            points, colours = points[measured], colours[measured]
        clouds.append(to_colour_cloud(points, colours[:len(points)], seen.header))
    return clouds


def to_colour_cloud(points: np.ndarray, rgb: np.ndarray, header: Header) -> PointCloud2:
    """A cloud with the fields x, y, z and rgb, which the Point Cloud Library and RViz read (four FLOAT32 each).

    Parameters
    ----------
    points : (h, w, 3) float32 metres for an organised cloud, or (n, 3) for an unordered one; NaN where unknown
    rgb : uint8 of the same shape
    header : of the cloud
    """
    height, width = points.shape[:2] if points.ndim == 3 else (1, len(points))
    cloud = np.empty((height * width, 4), np.float32)
    cloud[:, :3] = points.reshape(-1, 3)
    red, green, blue = rgb.reshape(-1, 3).astype(np.uint32).T
    cloud.view(np.uint32)[:, 3] = red << 16 | green << 8 | blue
    return PointCloud2(header=header, height=height, width=width, fields=_FIELDS, point_step=16, row_step=16 * width,
                       is_bigendian=sys.byteorder == "big", data=array("B", cloud.tobytes()),
                       is_dense=bool(np.isfinite(cloud[:, 2]).all()))
