# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.matting import alpha_of, cut_out, refined_alphas

SIZE = (480, 640)


def white_square(left: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a white square on black, and its mask."""
    mask = np.zeros(SIZE, np.uint8)
    mask[100:300, left:left + 200] = 255
    return np.repeat(mask[..., None], 3, axis=2), mask


def test_a_mask_that_follows_the_picture_stays():
    picture, mask = white_square(200)
    np.testing.assert_allclose(alpha_of(mask, picture), mask / 255, atol=0.01)


def test_a_ragged_edge_goes_to_that_of_the_picture():
    picture, truth = white_square(200)
    rng = np.random.default_rng(0)
    mask = np.stack([np.roll(row, rng.integers(-2, 3)) for row in truth])
    before, after = (np.abs(alpha - truth / 255.0).sum() for alpha in (mask / 255.0, alpha_of(mask, picture)))
    assert after < 0.7 * before


def test_without_an_edge_in_the_picture_the_mask_is_only_blurred():
    _, mask = white_square(200)
    alpha = alpha_of(mask, np.full((*SIZE, 3), 90, np.uint8))
    assert alpha[200, 300] == pytest.approx(1.0, abs=1e-3)
    assert alpha[200, 100] == pytest.approx(0.0, abs=1e-3)
    ramp = alpha[200, 194:206]
    assert (np.diff(ramp) >= -1e-6).all() and 0 < ramp[5] < ramp[6] < 1
    assert alpha.min() >= 0 and alpha.max() <= 1


def test_each_prompt_has_its_alpha():
    picture, mask = white_square(200)
    maps = Maps(np.stack([mask / np.float32(255), np.zeros(SIZE, np.float32)]), (0.5, 0.5))
    alphas = refined_alphas(maps, picture)
    assert (alphas.shape, alphas.dtype) == ((2, *SIZE), np.float32)
    assert np.abs(alphas[0] - mask / 255).mean() < 0.001
    assert not alphas[1].any()
    assert refined_alphas(Maps.empty(SIZE), picture).shape == (0, *SIZE)


def test_a_cut_out_is_transparent_where_nothing_was_found():
    picture, mask = white_square(200)
    rgba = cut_out(picture, mask / 255)
    assert rgba.shape == (*SIZE, 4)
    np.testing.assert_array_equal(rgba[..., :3], picture)
    np.testing.assert_array_equal(rgba[..., 3], mask)


def test_sizes_that_differ_are_named():
    picture, mask = white_square(200)
    with pytest.raises(ValueError, match=r"the mask has the shape \(10, 640\) and the picture \(480, 640\)"):
        alpha_of(mask[:10], picture)
