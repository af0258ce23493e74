# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.selection import Limits, Things, chosen, grouped_quantile

HALF = np.array([0.5, 0.5])


def things(*rows: tuple[int, float, float, float]) -> Things:
    """Of (prompt, score, pixels, square metres) each."""
    prompt, score, pixels, area = np.array(rows, float).reshape(-1, 4).T
    return Things(prompt.astype(int), score, pixels, area)


@pytest.mark.parametrize(("rows", "kept"), [
    ([], []),
    ([(0, 0.9, 500, 1.0), (0, 0.95, 500, 1.0)], [1, 0]),
    ([(0, 0.9, 500, 1.0), (1, 0.7, 500, 1.0)], [0, 1]),
    ([(0, 0.6, 500, 1.0)], []),
    ([(0, 0.95, 500, 1.0), (0, 0.7, 500, 1.0)], [0]),
    ([(0, 0.9, 500, 1.0), (0, 0.9, 500, 0.05)], [0]),
    ([(0, 0.9, 500, 0.05), (0, 0.9, 40, 0.06)], [0, 1]),
    ([(0, 0.9, 500, np.nan), (0, 0.9, 40, 1.0), (0, 0.9, 400, 0.01)], [0, 2]),
    ([(0, 0.6, 5000, 9.0), (0, 0.9, 50, 0.1)], [1]),
], ids=["nothing", "best first", "two prompts", "never high", "less sure than the best", "a crumb", "small but far",
        "in pixels where metres are unknown", "beside what is not meant anyway"])
def test_what_is_meant(rows, kept):
    assert chosen(things(*rows), HALF, Limits()).tolist() == kept


@pytest.mark.parametrize(("limits", "kept"), [
    (Limits(min_area=400), [0, 1]),
    (Limits(max_regions=1), [0, 3]),
    (Limits(min_size=0.5), [0, 2, 3]),
    (Limits(max_area=400), [2, 3]),
    (Limits(max_area=500), [0, 1, 2, 3]),
    (Limits(min_area=301, max_area=500), [0, 1]),
    (Limits(max_regions=0), []),
])
def test_limits(limits, kept):
    rows = [(0, 0.99, 500, 1.0), (0, 0.98, 500, 0.16), (0, 0.97, 300, 1.0), (1, 0.9, 300, np.nan)]
    assert chosen(things(*rows), HALF, limits).tolist() == kept


def test_what_is_too_large_takes_nothing_from_the_others():
    rows = [(0, 0.99, 5000, 9.0), (0, 0.7, 300, 0.2)]
    assert chosen(things(*rows), HALF, Limits()).tolist() == [0]
    assert chosen(things(*rows), HALF, Limits(max_area=1000)).tolist() == [1]


def test_a_high_threshold_can_be_reached():
    assert chosen(things((0, 0.96, 500, 1.0)), np.array([0.9]), Limits()).tolist() == [0]
    assert chosen(things((0, 0.94, 500, 1.0)), np.array([0.9]), Limits()).tolist() == []


def test_quantiles_of_groups_with_weights():
    values, weights = np.array([0.1, 0.9, 0.5, 0.7, 0.3]), np.array([80.0, 10, 10, 1, 1])
    group = np.array([0, 0, 0, 1, 1])
    assert grouped_quantile(values, weights, group, 0.9).tolist() == [0.5, 0.7]
    assert grouped_quantile(values, weights, group, 0.5).tolist() == [0.1, 0.3]
    assert grouped_quantile(values, weights, group, 1.0).tolist() == [0.9, 0.7]
    assert grouped_quantile(values[:0], weights[:0], group[:0], 0.9).tolist() == []
