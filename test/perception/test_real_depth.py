# SPDX-License-Identifier: Apache-2.0
"""A real RGB-D frame: scikit-image's motorcycle stereo pair (Middlebury 2014), with holes in its depth."""
from __future__ import annotations

import cv2
import numpy as np
import pytest

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.location import locate
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.objects import find_objects
from clipseg_ros.perception.regions import Region

FOCAL, CX, CY = 994.978, 311.193, 254.877
BASELINE, OFFSET = 0.193001, 31.086


@pytest.fixture(scope="module")
def frame() -> tuple[np.ndarray, np.ndarray, Pinhole]:
    """Picture (500, 741, 3), depth (500, 741) in metres with NaN, camera."""
    data = pytest.importorskip("skimage.data", reason="scikit-image, which brings the picture, is not installed")
    rgb, _, disparity = data.stereo_motorcycle()
    measured = np.isfinite(disparity) & (disparity > 0)
    depth = np.where(measured, FOCAL * BASELINE / (np.where(measured, disparity, 1) + OFFSET), np.nan)
    return rgb, depth.astype(np.float32), Pinhole(FOCAL, FOCAL, CX, CY, (rgb.shape[1], rgb.shape[0]))


@pytest.fixture(scope="module")
def motorcycle(frame) -> Region:
    """The only object of a heat map with a soft edge, which reaches far over the floor and to the wall."""
    rgb, depth, camera = frame
    rows, columns = np.mgrid[:rgb.shape[0], :rgb.shape[1]]
    away = np.hypot((columns - 365) / 275, (rows - 300) / 165)
    heat = (1 / (1 + np.exp(8 * (away - 1)))).astype(np.float32)
    (only,) = find_objects(Maps(heat[None], (0.5,)), rgb, depth, camera).regions[0]
    return only


def share(region: Region, where: np.ndarray) -> float:
    """Of the region's pixels, those in (H, W) bool."""
    x, y, width, height = region.roi
    return float(where[y:y + height, x:x + width][region.mask > 0].mean())


def test_the_wall_behind_is_no_part_of_the_motorcycle(frame, motorcycle):
    _, depth, _ = frame
    assert np.nanquantile(depth, 0.9) > 3.5, "the wall is more than a metre behind"
    assert share(motorcycle, depth > 3.2) < 0.1


def test_the_floor_below_is_no_part_of_it(frame, motorcycle):
    _, depth, camera = frame
    points = np.dstack([camera.rays * depth[..., None], depth])
    near_floor = _height(points) < 0.05
    assert near_floor[440:, 150:450].mean() > 0.9
    assert share(motorcycle, near_floor) < 0.1


def _height(points: np.ndarray) -> np.ndarray:
    """(H, W) metres above the floor, by a plane through what the lowest rows of the picture show."""
    floor = points[440:, 100:450].reshape(-1, 3)
    floor = floor[~np.isnan(floor).any(axis=1)]
    middle = floor.mean(axis=0)
    normal = np.linalg.svd(floor - middle, full_matrices=False)[2][2]
    return np.abs((points - middle) @ normal)


def test_all_of_the_motorcycle_is_one_object(frame, motorcycle):
    _, depth, camera = frame
    body = np.array([[120, 230], [240, 170], [440, 180], [560, 300], [640, 400], [470, 330], [330, 370], [190, 390]])
    inside = cv2.fillPoly(np.zeros(depth.shape, np.uint8), [body.astype(np.int32)], 1).astype(bool)
    body_seen = inside & (depth < 2.8)
    x, y, width, height = motorcycle.roi
    found = np.zeros(depth.shape, bool)
    found[y:y + height, x:x + width] = motorcycle.mask > 0
    assert (found & body_seen).sum() / body_seen.sum() > 0.95
    pose = locate([motorcycle], camera, depth)[0].pose
    assert 2.2 < pose.position[2] < 2.6
    assert 1.1 < pose.extent.max() < 2.0
