# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from solids import CAMERA, ball, box, plane, plate, points, region, turned

from clipseg_ros.perception.regions import Region
from clipseg_ros.perception.surface import (
    SAMPLES,
    in_own_ranges,
    masked_median,
    near_plane,
    visible_surfaces,
    without_edge,
)

NOWHERE = np.full((480, 640), np.nan)
BOX = box((0.1, 0.0, 1.2), turned(pitch=30, yaw=35), (0.2, 0.15, 0.25))
SOLIDS = {
    "plate facing the camera": plate((0.1, -0.1, 1.0), turned(), (0.3, 0.2)),
    "slanted plate": plate((0.0, 0.2, 1.5), turned(pitch=60), (0.5, 0.8)),
    "ball": ball((-0.2, 0.1, 1.0), 0.12),
    "box": BOX,
    "box far away": box((0.4, -0.3, 2.8), turned(pitch=20, yaw=50), (0.3, 0.3, 0.3)),
}


def surface_of(blob: Region, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) points and (n, 2) pixels of the surface of one region."""
    found = visible_surfaces([blob], depth, CAMERA)
    return found.points[0][found.kept[0]], found.pixels[0][found.kept[0]]


def centroid_of(blob: Region, depth: np.ndarray) -> np.ndarray:
    return visible_surfaces([blob], depth, CAMERA).centroids[0]


def image(depth: np.ndarray) -> np.ndarray:
    return depth.astype(np.float32)


@pytest.mark.parametrize("name", SOLIDS)
def test_the_mean_of_the_points_is_that_of_the_visible_surface(name):
    depth = SOLIDS[name]
    mask = ~np.isnan(depth)
    found, pixels = surface_of(region(mask), image(depth))
    assert centroid_of(region(mask), image(depth)) == pytest.approx(points(depth, mask).mean(axis=0), abs=0.003)
    assert SAMPLES / 4 < len(found) <= SAMPLES
    u, v = pixels[0]
    assert found[0] == pytest.approx(points(depth, np.ones_like(mask)).reshape(480, 640, 3)[v, u], abs=1e-6)


@pytest.mark.parametrize("name", SOLIDS)
@pytest.mark.parametrize(("noise", "holes", "stray"), [(0.002, 0.02, 0.0), (0.004, 0.3, 0.0), (0.002, 0.02, 0.3)])
def test_noise_holes_and_stray_readings_move_the_mean_by_little(name, noise, holes, stray):
    depth = SOLIDS[name]
    mask = ~np.isnan(depth)
    rng = np.random.default_rng(5)
    seen = depth + rng.normal(0, noise, depth.shape)
    seen[rng.random(depth.shape) < holes] = np.nan
    wild = rng.random(depth.shape) < stray
    seen[wild] = rng.uniform(0.3, 6.0, wild.sum())
    error = np.linalg.norm(centroid_of(region(mask), image(seen)) - points(depth, mask).mean(axis=0))
    assert error < (0.02 if max(holes, stray) > 0.1 else 0.01)


def test_flying_pixels_and_background_at_the_edge_are_left_out():
    front, wall = plate((0.0, 0.0, 1.0), turned(), (0.2, 0.2)), plane((0, 0, 2.5), (0, 0, -1.0))
    plate_only = ~np.isnan(front)
    seen = np.where(plate_only, front, wall)
    # the mask reaches 4 pixels beyond the plate, and the depth of its own edge lies between plate and wall
    mask = np.zeros_like(plate_only)
    rows, columns = np.nonzero(plate_only)
    mask[rows.min() - 4:rows.max() + 5, columns.min() - 4:columns.max() + 5] = True
    seen[rows.min(), columns.min():columns.max() + 1] = 1.7
    found, _ = surface_of(region(mask), image(seen))
    assert found[:, 2] == pytest.approx(np.ones(len(found)))
    assert centroid_of(region(mask), image(seen)) == pytest.approx((0, 0, 1), abs=0.004)


def test_nothing_measured_gives_no_points():
    found, pixels = surface_of(region(~np.isnan(BOX)), image(NOWHERE))
    assert (found.shape, pixels.shape) == ((0, 3), (0, 2))


def test_regions_do_not_depend_on_each_other():
    blobs = [region(~np.isnan(SOLIDS[name])) for name in SOLIDS]
    scene = image(np.fmin.reduce(list(SOLIDS.values())))
    together = visible_surfaces(blobs, scene, CAMERA)
    for row, blob in enumerate(blobs):
        alone = visible_surfaces([blob], scene, CAMERA)
        assert together.points[row][together.kept[row]] == pytest.approx(alone.points[0][alone.kept[0]])
    assert visible_surfaces([], scene, CAMERA).kept.shape == (0, SAMPLES)


def test_depth_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\(240, 320\).*\(640, 480\)"):
        visible_surfaces([region(~np.isnan(BOX))], np.ones((240, 320), np.float32), CAMERA)


def test_a_thin_region_keeps_its_edge():
    line = np.full((2, 30), 255, np.uint8)
    assert without_edge(line).all()
    square = np.full((20, 20), 255, np.uint8)
    assert without_edge(square).astype(bool).sum() == 18 * 18
    assert without_edge(np.full((150, 150), 255, np.uint8)).astype(bool).sum() == 138 * 138


@pytest.mark.parametrize(("z", "kept"), [
    ([1.0], [True]),
    ([1.0, 1.0, 1.001, 3.0, 3.0], [True, True, True, True, True]),
    ([1.0] * 60 + [3.0] * 2, [True] * 60 + [False] * 2),
    ([1.0] * 60 + [1.7] + [3.0] * 30, [True] * 60 + [False] + [True] * 30),
    ([1.0, 2.0, 3.0], [True, True, True]),
])
def test_ranges_that_hold_enough_points_are_the_object(z, kept):
    assert in_own_ranges(np.array([z]), *2 * [np.ones((1, len(z)), bool)]).tolist() == [kept]


def test_points_at_the_edge_count_where_inner_ones_are():
    z = np.array([[1.0] * 20 + [1.015] * 2 + [1.5, 2.0, 2.0]])
    inner = np.arange(z.size)[None] < 20
    assert in_own_ranges(z, np.ones_like(inner), inner)[0].tolist() == [True] * 22 + [False] * 3


def test_a_slanted_surface_is_one_range():
    assert in_own_ranges(np.geomspace(1.0, 2.5, 500)[None], *2 * [np.ones((1, 500), bool)]).all()


def test_a_bed_behind_its_footboard_is_whole():
    board = plate((0.0, 0.2, 2.0), turned(), (1.2, 0.2))
    mattress = plate((0.0, 0.0, 3.0), turned(pitch=70), (1.2, 1.6))
    depth = np.fmin(board, mattress)
    mask = ~np.isnan(depth)
    assert np.nanmin(depth[mask & np.isnan(board)]) > 2.1, "there is a gap between the two"
    truth = points(depth, mask).mean(axis=0)
    assert centroid_of(region(mask), image(depth)) == pytest.approx(truth, abs=0.01)
    assert truth[2] > 2.2


def test_points_off_a_slanted_plane_are_no_part_of_it():
    columns, rows = (axis.reshape(1, -1) for axis in np.meshgrid(np.arange(40), np.arange(30)))
    z = 1.0 / (0.8 + 0.005 * columns + 0.002 * rows)
    off = np.arange(z.size)[None] % 25 == 0
    seen = z + np.where(off, 0.05, 0.0)
    assert near_plane(columns, rows, seen, np.ones_like(off)).tolist() == (~off).tolist()
    many = np.arange(z.size)[None] % 7 < 3
    assert near_plane(columns, rows, z + np.where(many, 0.5, 0.0), np.ones_like(many)).all(), "that is its shape"
    few = slice(None), slice(3)
    assert near_plane(columns[few], rows[few], np.array([[1.0, 9.0, 1.0]]), np.ones((1, 3), bool)).all()


def test_the_median_of_those_that_count():
    values = np.array([[5.0, 1.0, 9.0, 7.0], [3.0, 4.0, 2.0, 8.0], [1.0, 1.0, 1.0, 1.0]])
    kept = np.array([[True, True, True, False], [True, True, True, True], [False] * 4])
    assert masked_median(values, kept).tolist() == [5.0, 3.0, 1.0]
