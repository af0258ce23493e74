# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.lab.training.augment import AugmentConfig, relight, square_window, zoom_window


@pytest.mark.parametrize("shape", [(60, 200), (200, 60), (64, 64)])
@pytest.mark.parametrize(
    "box", [(slice(0, 4), slice(0, 4)), (slice(-6, None), slice(-6, None)), (slice(None), slice(None))]
)
def test_square_crops_keep_five_per_cent_of_the_mask(shape, box):
    mask = np.zeros(shape, bool)
    mask[box] = True
    for seed in range(50):
        window = square_window(mask, np.random.default_rng(seed), keep=0.05)
        assert window.width == window.height == min(shape)
        assert window.cut(mask).shape == (min(shape), min(shape))
        assert window.cut(mask).sum() >= 0.05 * mask.sum()


def test_a_crop_that_chance_misses_is_put_on_the_object():
    mask = np.zeros((10, 1000), bool)
    mask[:, 500:503] = True
    window = square_window(mask, np.random.default_rng(0), keep=0.05, tries=1)
    assert window.cut(mask).sum() == mask.sum()


def test_crops_without_an_object_lie_anywhere():
    starts = {square_window(np.zeros((10, 100), bool), np.random.default_rng(seed)).left for seed in range(60)}
    assert min(starts) < 15 and max(starts) > 75


def test_zoom_windows_stay_inside_and_hold_the_focus():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        focus = (float(rng.integers(0, 100)), float(rng.integers(0, 80)))
        window = zoom_window((80, 100), rng, zoom=(1.0, 2.5), stretch=0.3, focus=focus)
        assert 0 <= window.left and window.left + window.width <= 100
        assert 0 <= window.top and window.top + window.height <= 80
        assert window.left <= focus[0] < window.left + window.width
        assert window.top <= focus[1] < window.top + window.height


def test_no_change_leaves_the_picture_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    assert np.array_equal(relight(image, np.random.default_rng(1), AugmentConfig()), image)


def test_light_stays_within_its_bounds_and_noise_is_deterministic():
    image = np.full((20, 30, 3), 100, np.uint8)
    bright = [relight(image, np.random.default_rng(seed), AugmentConfig(brightness=0.2))[0, 0, 0] for seed in range(40)]
    assert min(bright) >= 80 and max(bright) <= 120 and max(bright) - min(bright) > 20
    noisy = AugmentConfig(noise=5.0, blur=1.0)
    first, second = (relight(image, np.random.default_rng(4), noisy) for _ in range(2))
    assert np.array_equal(first, second)
