# SPDX-License-Identifier: Apache-2.0
"""Depth images of planes, balls and boxes in closed form."""
from __future__ import annotations

import numpy as np

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.regions import Region, find_regions

CAMERA = Pinhole(500.0, 500.0, 319.5, 239.5, (640, 480))


def rays(camera: Pinhole) -> np.ndarray:
    """(H, W, 3) float64, z = 1."""
    return np.concatenate([camera.rays.astype(np.float64), np.ones((*camera.rays.shape[:2], 1))], axis=2)


def plane(centre, normal, camera: Pinhole = CAMERA) -> np.ndarray:
    """(H, W) depth in metres of an endless plane; NaN where a ray misses it."""
    along = rays(camera) @ np.asarray(normal, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (np.asarray(centre, float) @ np.asarray(normal, float)) / along
    return np.where(depth > 0, depth, np.nan)


def disc(centre, normal, radius: float, camera: Pinhole = CAMERA) -> np.ndarray:
    """(H, W) depth of a round flat plate."""
    depth = plane(centre, normal, camera)
    inside = np.linalg.norm(rays(camera) * depth[..., None] - np.asarray(centre, float), axis=2) <= radius
    return np.where(inside, depth, np.nan)


def plate(centre, axes, size, camera: Pinhole = CAMERA) -> np.ndarray:
    """(H, W) depth of a flat rectangle; axes (3, 3): its width, its height and its normal in the columns."""
    axes = np.asarray(axes, float)
    depth = plane(centre, axes[:, 2], camera)
    local = (rays(camera) * depth[..., None] - np.asarray(centre, float)) @ axes
    return np.where((np.abs(local[..., 0]) <= size[0] / 2) & (np.abs(local[..., 1]) <= size[1] / 2), depth, np.nan)


def ball(centre, radius: float, camera: Pinhole = CAMERA) -> np.ndarray:
    """(H, W) depth of a ball."""
    ray, centre = rays(camera), np.asarray(centre, float)
    a, b, c = (ray ** 2).sum(axis=2), ray @ centre, centre @ centre - radius ** 2
    under_root = b * b - a * c
    return np.where(under_root >= 0, (b - np.sqrt(np.maximum(under_root, 0))) / a, np.nan)


def box(centre, axes, size, camera: Pinhole = CAMERA) -> np.ndarray:
    """(H, W) depth of a box; axes (3, 3) in the columns, size (3,) along them."""
    centre, axes = np.asarray(centre, float), np.asarray(axes, float)
    faces = []
    for index in range(3):
        others = [other for other in range(3) if other != index]
        for sign in (-1, 1):
            turned = np.stack([axes[:, others[0]], axes[:, others[1]], sign * axes[:, index]], axis=1)
            middle = centre + turned[:, 2] * size[index] / 2
            faces.append(plate(middle, turned, [size[other] for other in others], camera))
    return np.fmin.reduce(faces)


def region(mask: np.ndarray) -> Region:
    """The largest connected region of an (H, W) bool mask."""
    return max(find_regions(mask.astype(np.float32), 0.5), key=lambda found: found.area)


def points(depth: np.ndarray, mask: np.ndarray, camera: Pinhole = CAMERA) -> np.ndarray:
    """(n, 3) the true points of the pixels of an (H, W) bool mask."""
    return (rays(camera) * depth[..., None])[mask]


def turned(*, pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """(3, 3) axes x right, y up, z towards the camera, turned by angles in degrees."""
    p, y, r = np.radians([pitch, yaw, roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.diag([1.0, -1.0, -1.0]) @ about_x @ about_y @ about_z
