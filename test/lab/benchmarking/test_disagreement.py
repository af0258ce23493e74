# SPDX-License-Identifier: Apache-2.0
"""Masks against those of a reference, on pictures that can be counted."""

import numpy as np
import pytest

from clipseg_ros.lab.benchmarking.disagreement import Reference

PICTURES = [np.full((1, 4, 3), value, np.uint8) for value in (1, 2)]
MAPS = {1: [[0.1, 0.2, 0.3, 0.4]], 2: [[0.9, 0.1, 0.6, 0.4]]}


def segment(image, prompts, shift=0.0):
    """Probabilities that depend on the picture, the same for every prompt."""
    return np.stack([np.array(MAPS[image[0, 0, 0]], np.float32) + shift for _ in prompts])


@pytest.mark.parametrize("random", [False, True])
def test_the_reference_agrees_with_itself(random):
    reference = Reference("itself", segment, PICTURES, ["mug", "book"], random=random)
    assert reference.name == "itself"
    assert reference.disagreement(segment) == 0


@pytest.mark.parametrize(("random", "share"), [
    # At 0.5: 0.4 becomes 0.56 in both pictures.
    (False, 2 / 8),
    # At the medians 0.25 and 0.5: 0.1 and 0.2 cross in the first picture, 0.4 in the second.
    (True, 3 / 8),
])
def test_pixels_that_cross_the_threshold_are_counted(random, share):
    reference = Reference("itself", segment, PICTURES, ["mug", "book"], random=random)
    assert reference.disagreement(lambda image, prompts: segment(image, prompts, 0.16)) == share


def test_random_weights_are_compared_where_they_differ():
    def crowded(image, prompts):
        return 0.5 + 0.001 * segment(image, prompts)

    def other(image, prompts):
        return 0.5 + 0.001 * segment(image, prompts)[:, :, ::-1]

    assert Reference("crowded", crowded, PICTURES, ["mug"], random=False).disagreement(other) == 0
    assert Reference("crowded", crowded, PICTURES, ["mug"], random=True).disagreement(other) == 1
