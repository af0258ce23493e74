# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.borders import Borders
from clipseg_ros.perception.merging import BIAS, evidence, merge, roots


def borders(*rows: tuple[int, int, float, float, float]) -> Borders:
    """Of (first, second, length, step in metres, colour) each."""
    first, second, length, step, colour = np.array(rows).reshape(-1, 5).T
    return Borders(first.astype(np.int64), second.astype(np.int64), length, step, colour, np.ones(len(first)))


def test_evidence_falls_with_step_and_colour():
    surely = evidence(np.array([0.001, 0.1, 0.1, 1.0]), np.array([0.0, 0, 60, 0]), BIAS)
    assert (np.diff(surely[:2]) < 0).all() and surely[1] > 0 > surely[2] and surely[3] < 0
    assert evidence(np.zeros(1), np.zeros(1), BIAS) == pytest.approx(evidence(np.full(1, 1e-3), np.zeros(1), BIAS))


def test_what_is_alike_merges_and_what_is_apart_does_not():
    piece = merge(4, borders((0, 1, 5, 0.001, 2), (1, 2, 5, 0.8, 5), (2, 3, 5, 0.02, 5)), BIAS)
    assert piece[0] == piece[1] != piece[2] == piece[3]


def test_the_whole_border_counts_not_its_best_part():
    # 1 and 2 touch, each is sure of its own neighbour, and a few open pixels lie between them.
    sure = [(0, 1, 20, 0.03, 0), (2, 3, 20, 0.03, 0)]
    rows = [*sure, (1, 2, 1, 0.2, 0), (0, 2, 15, 1.0, 0), (1, 3, 15, 1.0, 0)]
    piece = merge(4, borders(*rows), BIAS)
    assert piece[0] == piece[1] != piece[2] == piece[3]
    assert len(set(merge(4, borders(*rows[:3]), BIAS).tolist())) == 1


def test_no_borders_no_merging():
    assert merge(3, borders(), BIAS).tolist() == [0, 1, 2]


def test_roots_are_the_smallest_of_what_is_connected():
    assert roots(6, np.array([4, 2, 5]), np.array([2, 5, 4])).tolist() == [0, 1, 2, 3, 2, 2]
    chain = np.arange(99)
    assert not roots(100, chain[::-1], chain[::-1] + 1).any()
    assert roots(2, np.array([], int), np.array([], int)).tolist() == [0, 1]
