# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from clipseg_ros.demo.table import Row, intersection_over_union, table

MASK = np.array([[1, 1, 0], [0, 0, 0]], bool)


@pytest.mark.parametrize("mask, truth, expected", [
    (MASK, MASK, 1.0),
    (MASK, np.array([[0, 1, 1], [0, 0, 0]], bool), 1 / 3),
    (MASK, ~MASK, 0.0),
    (MASK, np.zeros_like(MASK), 0.0),
    (np.zeros_like(MASK), np.zeros_like(MASK), 1.0),
])
def test_intersection_over_union(mask, truth, expected):
    assert intersection_over_union(mask, truth) == pytest.approx(expected)


def test_without_ground_truth_there_is_no_number():
    assert math.isnan(intersection_over_union(MASK, None))


def test_table_aligns_its_columns_and_marks_what_is_missing():
    nothing = (math.nan,) * 3
    rows = [Row("the red cup", 0.934, 0.871, (320.4, 17.6), (0.1, -0.05, 1.5), 38.4),
            Row("a cat", 0.02, math.nan, (math.nan,) * 2, nothing, 1204.0)]
    assert table(rows).splitlines() == [
        "prompt       score   IoU  centroid px  centroid m (x y z)    ms",
        "-----------  -----  ----  -----------  ------------------  ----",
        "the red cup   0.93  0.87       320 18     0.10 -0.05 1.50    38",
        "a cat         0.02     -            -                   -  1204",
    ]
