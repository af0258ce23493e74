# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.regions import MOST_SCORED, find_regions, region_of

TWO = np.array([
    [0.6, 0.8, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 0.0, 0.9],
    [0.0, 0.0, 0.0, 0.9, 0.0],
], np.float32)


def test_two_regions_the_better_first():
    best, other = find_regions(TWO, 0.5)
    # pixels that touch at a corner belong together
    assert best.score == pytest.approx(0.9)
    assert (best.area, best.roi, best.centroid) == (2, (3, 1, 2, 2), (3.5, 1.5))
    assert best.mask.tolist() == [[0, 255], [255, 0]]
    assert other.score == pytest.approx(0.7)
    assert (other.area, other.roi, other.centroid) == (2, (0, 0, 2, 1), (0.5, 0.0))


@pytest.mark.parametrize(("threshold", "limits", "areas"), [
    (0.5, {}, [2, 2]),
    (0.7, {}, [2, 1]),
    (0.7, {"min_area": 2}, [2]),
    (0.5, {"max_regions": 1}, [2]),
    (0.95, {}, []),
])
def test_limits(threshold, limits, areas):
    assert [region.area for region in find_regions(TWO, threshold, **limits)] == areas


def test_a_neighbour_in_the_box_is_not_in_the_mask_nor_in_the_score():
    probability = np.zeros((5, 5), np.float32)
    probability[0, :] = probability[:, 0] = 0.6
    probability[3, 3] = 0.9
    inner, outer = find_regions(probability, 0.5)
    assert inner.score == pytest.approx(0.9)
    assert outer.score == pytest.approx(0.6)
    assert outer.mask[3, 3] == 0


def test_of_very_many_regions_the_largest_are_scored():
    probability = np.zeros((100, 100), np.float32)
    probability[::2, ::2] = 0.6
    probability[99, 96:99] = 0.7
    regions = find_regions(probability, 0.5)
    assert len(regions) == MOST_SCORED
    assert regions[0].area > 1


def test_a_view_that_is_not_contiguous_gives_the_same():
    assert [r.roi for r in find_regions(np.asfortranarray(TWO), 0.5)] == [r.roi for r in find_regions(TWO, 0.5)]


@pytest.mark.parametrize("shape", [(1, 4, 4), (0, 4), (4,)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match="must be \\(height, width\\)"):
        find_regions(np.zeros(shape, np.float32), 0.5)


def test_the_region_of_a_mask_that_lies_anywhere():
    part = np.zeros((5, 6), np.uint8)
    part[1:3, 2:5], part[3, 2] = 7, 7
    region = region_of(part, (100, 50), 0.7)
    assert (region.score, region.area, region.roi) == (0.7, 7, (102, 51, 3, 3))
    assert region.centroid == pytest.approx((102 + 6 / 7, 51 + 5 / 7))
    assert region.mask.tolist() == [[255] * 3, [255] * 3, [255, 0, 0]]
    assert region_of(np.zeros((5, 6), np.uint8), (0, 0), 0.7) is None
