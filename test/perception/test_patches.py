# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.patches import GRID, Patches, flood

GREY = np.full((240, 320, 3), 128, np.uint8)


def two_halves() -> np.ndarray:
    """(240, 320, 3) uint8: red on the left of column 101, blue on the right."""
    rgb = np.zeros((240, 320, 3), np.uint8)
    rgb[:, :101, 0], rgb[:, 101:, 2] = 200, 200
    return rgb


def test_every_pixel_is_of_one_patch():
    patches = Patches(two_halves())
    assert patches.step == 1 and patches.labels.shape == patches.size == (240, 320)
    assert np.unique(patches.labels).tolist() == list(range(len(patches)))
    assert patches.area.sum() == 240 * 320 and patches.area.min() > 0
    assert patches.area.max() <= (GRID + 2) ** 2


def test_no_patch_reaches_over_a_change_of_colour():
    patches = Patches(two_halves())
    assert not set(patches.labels[:, :101].ravel()) & set(patches.labels[:, 101:].ravel())


def test_no_patch_reaches_over_a_step_of_depth():
    depth = np.full((240, 320), 1.0, np.float32)
    depth[:, 77:] = 1.5
    patches = Patches(GREY, depth)
    left, right = patches.labels[:, :76], patches.labels[:, 78:]
    assert not set(left.ravel()) & set(right.ravel())


def test_a_large_picture_is_looked_at_coarsely():
    patches = Patches(np.zeros((481, 642, 3), np.uint8))
    assert patches.step == 2 and patches.size == (240, 321)
    levels = np.arange(481 * 642, dtype=np.float32).reshape(481, 642)
    assert patches.coarse(levels)[3, 5] == pytest.approx(levels[6:8, 10:12].mean())


def test_patches_know_colour_place_and_depth():
    camera = Pinhole(300.0, 300.0, 159.5, 119.5, (320, 240))
    patches = Patches(GREY, np.full((240, 320), 2.0, np.float32), camera)
    patch = patches.labels[60, 200]
    rows, columns = np.nonzero(patches.labels == patch)
    assert patches.centres[patch] == pytest.approx((columns.mean(), rows.mean()))
    assert patches.inverse_depth == pytest.approx(np.full(len(patches), 0.5))
    place = (columns.mean() - 159.5) / 150, (rows.mean() - 119.5) / 150, 2.0
    assert patches.points[patch] == pytest.approx(place, abs=0.01)
    assert patches.metres == pytest.approx(np.full(len(patches), 2 / 300))
    assert patches.colour == pytest.approx(np.tile(patches.lab[0, 0], (len(patches), 1)))
    assert (patches.planes == 0).all() and len(np.unique(patches.bodies)) == 1


def test_the_mean_of_an_image_over_each_patch():
    patches = Patches(two_halves())
    image = np.random.default_rng(0).random((240, 320), np.float32)
    means = patches.means([image, np.ones_like(image)])
    assert means[7, 0] == pytest.approx(image[patches.labels == 7].mean(), abs=1e-5)
    assert means[:, 1] == pytest.approx(np.ones(len(patches)))


def test_without_depth_or_camera_nothing_is_known_in_metres():
    depth = np.full((240, 320), 2.0, np.float32)
    for patches in (Patches(GREY), Patches(GREY, depth), Patches(GREY, None, Pinhole(300, 300, 160, 120, (320, 240)))):
        assert patches.points is None and patches.metres is None
    assert not Patches(GREY).inverse_depth.any() and (Patches(GREY).planes == -1).all()


def test_unknown_depth_has_no_place():
    depth = np.full((240, 320), 2.0, np.float32)
    depth[:, 100:] = np.nan
    patches = Patches(GREY, depth, Pinhole(300, 300, 160, 120, (320, 240)))
    assert np.isnan(patches.points[patches.labels[120, 200]]).any()
    assert not np.isnan(patches.points[patches.labels[120, 50]]).any()


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 400), (17, 16)])
def test_tiny_and_odd_pictures_have_patches(size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    patches = Patches(noise, np.ones(size, np.float32))
    assert patches.area.sum() == np.prod(patches.size) and len(patches.borders) >= 0


@pytest.mark.parametrize(("depth", "camera", "message"), [
    (np.ones((120, 160), np.float32), None, r"\(120, 160\).*\(240, 320\)"),
    (None, Pinhole(300, 300, 160, 120, (640, 480)), r"\(640, 480\).*\(320, 240\)"),
])
def test_other_sizes_are_refused(depth, camera, message):
    with pytest.raises(ValueError, match=message):
        Patches(GREY, depth, camera)


def test_pixels_where_floods_meet_go_to_the_side_they_look_like():
    image = np.zeros((8, 20, 3), np.uint8)
    image[:, 9:] = 90
    seeds = np.zeros((8, 20), np.int32)
    seeds[2:6, 2:4], seeds[2:6, 15:17] = 1, 2
    expected = np.zeros((8, 20), int)
    expected[:, 9:] = 1
    assert flood(image, seeds).tolist() == expected.tolist()
