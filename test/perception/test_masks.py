# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.masks import NO_PROMPT, label_image, union_mask

N = NO_PROMPT


@pytest.mark.parametrize(("probabilities", "thresholds", "labels"), [
    # one prompt: at the threshold is inside
    ([[[0.4, 0.5, 0.6]]], [0.5], [[N, 0, 0]]),
    # the more probable prompt wins where both reach their threshold
    ([[[0.9, 0.6, 0.2]], [[0.7, 0.8, 0.1]]], [0.5, 0.5], [[0, 1, N]]),
    # a prompt below its own threshold does not win, however probable
    ([[[0.8, 0.8]], [[0.4, 0.2]]], [0.9, 0.3], [[1, N]]),
    # of two equal ones the earlier wins
    ([[[0.7]], [[0.7]]], [0.5, 0.5], [[0]]),
    # the third beats the first, not the second
    ([[[0.5]], [[0.9]], [[0.6]]], [0.4, 0.95, 0.4], [[2]]),
])
def test_label_image(probabilities, thresholds, labels):
    found = label_image(np.array(probabilities, np.float32), thresholds)
    assert found.dtype == np.uint8
    assert found.tolist() == labels


def test_without_prompts_no_pixel_has_a_label():
    labels = label_image(np.zeros((0, 2, 3), np.float32), [])
    assert labels.tolist() == [[N] * 3] * 2
    assert union_mask(labels).tolist() == [[0] * 3] * 2


def test_union_mask_is_255_where_any_prompt_won():
    assert union_mask(np.array([[N, 0], [3, N]], np.uint8)).tolist() == [[0, 255], [255, 0]]


@pytest.mark.parametrize(("shape", "thresholds", "says"), [
    ((2, 3), [0.5], "prompts, height, width"),
    ((1, 0, 3), [0.5], "prompts, height, width"),
    ((2, 4, 4), [0.5], "1 thresholds"),
    ((256, 1, 1), [0.5] * 256, "can name 255"),
])
def test_wrong_shapes_are_named(shape, thresholds, says):
    with pytest.raises(ValueError, match=says):
        label_image(np.zeros(shape, np.float32), thresholds)
