# SPDX-License-Identifier: Apache-2.0
"""Logits become maps of the pictures' sizes; bytes keep the side of the threshold on which a pixel lies."""

import numpy as np
import pytest
import torch

from clipseg_ros.clipseg.logits import LEVELS, first_level, to_levels, to_probabilities

THRESHOLDS = (0.001, 0.1, 0.3, 0.5, 0.502, 0.9, 0.999)


def smooth_logits(prompts=len(THRESHOLDS), pictures=1):
    """(pictures, prompts, 24, 24) float32 that take every probability."""
    torch.manual_seed(0)
    coarse = 8 * torch.randn(pictures, prompts, 4, 4)
    return torch.nn.functional.interpolate(coarse, size=(24, 24), mode="bicubic")


@pytest.mark.parametrize("threshold, level",
                         [(0.5, 128), (1e-6, 1), (0.999999, 255), (0.25, 64), (0.002, 1), (0.2, 52)])
def test_first_level(threshold, level):
    assert first_level(threshold) == level


def test_probabilities_of_pictures_of_several_sizes():
    logits = smooth_logits(prompts=2, pictures=2)
    large, same = to_probabilities(logits, [(48, 72), (24, 24)])
    assert (large.shape, large.dtype) == ((2, 48, 72), np.float32)
    np.testing.assert_allclose(same, torch.sigmoid(logits[1]).numpy(), rtol=0, atol=1e-6)
    # The mean over a row of the picture changes little when it is stretched.
    np.testing.assert_allclose(large.mean(axis=(1, 2)), torch.sigmoid(logits[0]).mean(dim=(1, 2)).numpy(), atol=0.02)


def test_levels_are_probabilities_in_steps():
    logits, size = smooth_logits(), (37, 53)
    levels, probabilities = to_levels(logits, [size], THRESHOLDS)[0], to_probabilities(logits, [size])[0]
    assert (levels.shape, levels.dtype) == ((len(THRESHOLDS), *size), np.uint8)
    assert levels.min() <= 1 and levels.max() >= 254
    assert np.abs(levels / LEVELS - probabilities).max() <= 1.01 / LEVELS


def test_levels_keep_the_side_of_the_threshold():
    logits, size = smooth_logits(), (111, 97)
    levels, probabilities = to_levels(logits, [size], THRESHOLDS)[0], to_probabilities(logits, [size])[0]
    for level, probability, threshold in zip(levels, probabilities, THRESHOLDS):
        clear = np.abs(probability - threshold) > 1e-6
        assert ((level >= first_level(threshold)) == (probability >= threshold))[clear].all()


@pytest.mark.parametrize("threshold", [0.5, 0.25, 0.75])
def test_a_probability_that_equals_the_threshold_reaches_it(threshold):
    logits = torch.full((1, 1, 4, 4), float(torch.logit(torch.tensor(threshold))))
    assert (to_levels(logits, [(4, 4)], [threshold])[0] == first_level(threshold)).all()


def test_certain_pixels_stay_within_a_byte():
    logits = torch.tensor([-200.0, 200.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4).contiguous()
    low, high = to_levels(logits, [(5, 5)], [0.999, 0.001])[0]
    assert (low == 0).all() and (high == 255).all()


def test_no_prompts():
    assert to_levels(torch.empty(1, 0, 8, 8), [(5, 6)], [])[0].shape == (0, 5, 6)
    assert to_probabilities(torch.empty(1, 0, 8, 8), [(5, 6)])[0].shape == (0, 5, 6)
