# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.refining import fine, with_masks
from clipseg_ros.perception.regions import region_of

SCALES = [(np.float32, 1.0, 0.5), (np.uint8, 255.0, 128.0)]


def region(x: int, y: int, size: int):
    return region_of(np.full((size, size), 255, np.uint8), (x, y), 0.9)


@pytest.mark.parametrize(("kind", "scale", "threshold"), SCALES)
def test_levels_come_back_on_the_scale_of_the_maps(kind, scale, threshold):
    maps = Maps(np.zeros((1, 9, 13), kind), (threshold,), scale)
    refined = with_masks(maps, np.full((1, 4, 6), 0.8, np.float32), 2, None)
    assert refined.values.dtype == kind and refined.size == (9, 13) and refined.thresholds == (threshold,)
    assert refined.probabilities == pytest.approx(np.full((1, 9, 13), 0.8), abs=0.002)


@pytest.mark.parametrize(("kind", "scale", "threshold"), SCALES)
def test_exactly_the_objects_reach_the_threshold(kind, scale, threshold):
    maps = Maps(np.zeros((2, 20, 20), kind), (threshold, threshold), scale)
    levels = np.random.default_rng(0).random((2, 20, 20), np.float32)
    refined = with_masks(maps, levels, 1, [[region(2, 3, 5), region(4, 6, 8)], []])
    expected = np.zeros((20, 20), bool)
    expected[3:8, 2:7] = expected[6:14, 4:12] = True
    assert (refined.masks[0] > 0).tolist() == expected.tolist() and not refined.masks[1].any()
    assert refined.labels[4, 4] == 0 and refined.labels[19, 19] == 255


def test_a_coarse_image_becomes_fine():
    coarse = np.array([[0, 100], [0, 100]], np.float32)
    assert fine(coarse, 1) is coarse
    assert fine(coarse, 2)[0].tolist() == [0, 25, 75, 100]
