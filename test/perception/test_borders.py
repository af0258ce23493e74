# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.borders import MOST, UNKNOWN_STEP, colour_distance, find_borders
from clipseg_ros.perception.steps import CoarseDepth

LABELS = np.array([[0] * 8 + [1] * 8] * 40 + [[2] * 16] * 8, np.int32)
COLOURS = np.array([[0.0, 0, 0], [40, 3, 4], [0, 12, 0]])


def of_depth(left: float, right: float, below: float) -> CoarseDepth:
    return CoarseDepth.of(np.choose(LABELS, [left, right, below]).astype(np.float32), 1)


def test_borders_of_three_patches():
    borders = find_borders(LABELS, COLOURS, None)
    assert list(zip(borders.first, borders.second, borders.length)) == [(0, 1, 40), (0, 2, 8), (1, 2, 8)]
    assert borders.colour[:2] == pytest.approx([np.sqrt(0.25 * 1600 + 9 + 16), 12])
    assert borders.step == pytest.approx([UNKNOWN_STEP] * 3) and borders.open.tolist() == [1, 1, 1]


def test_steps_are_in_metres():
    borders = find_borders(LABELS, COLOURS, of_depth(1.0, 1.25, 1.0))
    # The median of 3 x 3 rounds the corner where all three meet off.
    assert borders.step[0] == pytest.approx(0.25, rel=0.03) and borders.open[0] < 0.03
    assert borders.step[1] == pytest.approx(0.0, abs=0.03) and borders.open[1] > 0.85


def test_a_far_step_is_no_larger_than_the_most():
    assert find_borders(LABELS, COLOURS, of_depth(1.0, 9.0, 1.0)).step[0] == pytest.approx(MOST, rel=0.03)


def test_unknown_depth_counts_as_a_small_step():
    borders = find_borders(LABELS, COLOURS, of_depth(np.nan, np.nan, np.nan))
    assert borders.step == pytest.approx([UNKNOWN_STEP] * 3)


def test_one_patch_has_no_borders():
    assert len(find_borders(np.zeros((3, 3), np.int32), COLOURS[:1], None)) == 0


def test_lightness_counts_half():
    assert colour_distance(np.array([[10.0, 0, 0], [0, 3, 4]]), np.zeros(3)).tolist() == [5, 5]
