# SPDX-License-Identifier: Apache-2.0
"""Where the regions of an image lie in space."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.poses import Pose, estimate_poses
from clipseg_ros.perception.regions import Region
from clipseg_ros.perception.surface import Surfaces, visible_surfaces
from clipseg_ros.perception.upper_faces import upper_faces

POINTS = ("centroid", "interior", "top")
"""What stands for an object: the mean of its visible surface, the point deepest inside its outline, or the middle of
its upper face."""

_NOTHING = np.zeros((0, 3), np.float32)


@dataclass(frozen=True)
class Location:
    """As much as is known of where an object is.

    Attributes
    ----------
    pixel : (u, v) in pixels of the image, sub-pixel: the centroid of the region, its interior point, or where the
        middle of its upper face is seen
    bearing : (3,) float64 unit vector through that pixel in the camera's optical frame; None without calibration,
        NaN where the lens model has no answer
    pose : in the camera's optical frame; None without depth
    points : (n, 3) float32 metres, the inliers that the pose was made of
    """

    pixel: tuple[float, float]
    bearing: np.ndarray | None = None
    pose: Pose | None = None
    points: np.ndarray = field(default_factory=lambda: _NOTHING)


def locate(regions: Sequence[Region], camera: Pinhole | None = None, depth: np.ndarray | None = None, *,
           point: str = "centroid", up: np.ndarray | None = None) -> list[Location]:
    """The location of each region, as exactly as the given data allow.

    Parameters
    ----------
    camera : that took the image; None where its calibration is unknown
    depth : (H, W) float32 metres in the image's size, NaN where it was not measured; None without depth
    point : one of `POINTS`. The mean of a ring or of an L lies outside of it, the interior point never does. Of "top",
        position, normal and extent are those of the upper face; where no depth was measured it is the centroid
    up : (3,) unit vector against gravity in the camera's optical frame, which "top" needs

    Raises
    ------
    ValueError
        If `point` is unknown, "top" is without `up`, or the sizes of depth and camera differ.
    """
    _check(point, up)
    inside = [interior_point(region) for region in regions] if point == "interior" else None
    pixels = [region.centroid for region in regions] if inside is None else [pixel for pixel, _ in inside]
    if camera is None:
        return [Location(pixel) for pixel in pixels]
    locations = [Location(pixel, camera.bearing(*pixel)) for pixel in pixels]
    if depth is None or not regions:
        return locations
    surfaces = visible_surfaces(regions, depth, camera)
    measured = np.flatnonzero(surfaces.kept.any(axis=1))
    if not len(measured):
        return locations
    surfaces = surfaces.of(measured)
    if point == "top":
        for index, location in zip(measured, _upper_locations(surfaces, np.asarray(up, np.float64))):
            locations[index] = location
        return locations
    positions = surfaces.centroids if inside is None else _means_around(surfaces, [inside[i] for i in measured])
    for row, (index, pose) in enumerate(zip(measured, estimate_poses(surfaces.points, surfaces.kept, positions))):
        points = surfaces.points[row][surfaces.kept[row]].astype(np.float32)
        locations[index] = Location(pixels[index], locations[index].bearing, pose, points)
    return locations


def _check(point: str, up: np.ndarray | None) -> None:
    if point not in POINTS:
        raise ValueError(f"the point is {point!r}; it must be one of {', '.join(POINTS)}")
    if point != "top":
        return
    if up is None:
        raise ValueError("the point is 'top', but it is not said where up is; give `up`, a unit vector in the camera's "
                         "optical frame")
    if np.shape(up) != (3,) or not abs(np.linalg.norm(up) - 1) < 1e-3:
        raise ValueError(f"up is {up}; it must be three numbers, a vector of length 1 in the camera's optical frame")


def _upper_locations(surfaces: Surfaces, up: np.ndarray) -> list[Location]:
    faces = upper_faces(surfaces, up)
    poses = estimate_poses(surfaces.points, faces.kept, faces.centres, facing=up)
    return [Location(tuple(pixel.tolist()), centre / np.linalg.norm(centre), pose, points[kept].astype(np.float32))
            for pixel, centre, pose, points, kept
            in zip(faces.pixels, faces.centres, poses, surfaces.points, faces.kept)]


def interior_point(region: Region) -> tuple[tuple[float, float], float]:
    """(u, v) of the pixel furthest from the region's outline, and that distance, both in pixels of the image."""
    padded = cv2.copyMakeBorder(region.mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    _, radius, _, (x, y) = cv2.minMaxLoc(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    return (float(x - 1 + region.roi[0]), float(y - 1 + region.roi[1])), float(radius)


def _means_around(surfaces: Surfaces, inside: Sequence[tuple[tuple[float, float], float]]) -> np.ndarray:
    """(n, 3) mean of the points seen within half the radius of each pixel; the one seen nearest if none is."""
    centres = np.array([pixel for pixel, _ in inside])
    radii = np.array([radius for _, radius in inside])
    away = np.linalg.norm(surfaces.pixels - centres[:, None], axis=2)
    away = np.where(surfaces.kept, away, np.inf)
    near = away <= np.maximum(radii / 2, away.min(axis=1))[:, None]
    return (surfaces.points * near[..., None]).sum(axis=1) / near.sum(axis=1)[:, None]
