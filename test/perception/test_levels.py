# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.borders import Borders
from clipseg_ros.perception.levels import STRENGTH, diffused, refined_levels
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.patches import Patches


def chain(colour: float, is_open: float = 1.0) -> Borders:
    """Two patches with a border of ten pixels."""
    return Borders(np.array([0]), np.array([1]), np.array([10.0]), np.array([0.0]), np.array([colour]),
                   np.array([is_open]))


def test_two_patches_alike_in_closed_form():
    area, weight = np.array([1000.0, 3000.0]), 10 * STRENGTH
    found = diffused(np.array([[1.0], [0.0]]), area, chain(0.0))
    matrix = np.diag(area) + weight * np.array([[1, -1], [-1, 1]])
    assert found == pytest.approx(np.linalg.solve(matrix, area[:, None] * [[1], [0]]), abs=0.02)
    assert (area @ found)[0] == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize("border", [chain(100.0), chain(0.0, is_open=0.0)], ids=["other colours", "a step"])
def test_patches_that_are_apart_keep_their_values(border):
    assert diffused(np.array([[1.0], [0.0]]), np.array([9.0, 9.0]), border) == pytest.approx(np.array([[1], [0]]))


def test_a_soft_map_gets_the_edge_of_the_picture():
    rgb = np.zeros((240, 320, 3), np.uint8)
    rgb[60:180, 100:220] = (250, 200, 20)
    rows, columns = np.mgrid[:240, :320]
    soft = (1 / (1 + np.exp((np.hypot(columns - 165, rows - 125) - 65) / 15))).astype(np.float32)
    for values, scale in ((soft, 1.0), (np.rint(255 * soft).astype(np.uint8), 255.0)):
        levels = refined_levels(Maps(values[None], (0.5 * scale,), scale), Patches(rgb))
        thing = (rgb.max(axis=2) > 0)
        assert ((levels[0] >= 0.5) == thing).mean() > 0.999 > ((soft >= 0.5) == thing).mean()
        assert levels.dtype == np.float32 and levels.min() >= 0 and levels.max() <= 1


def test_an_exact_map_stays_exact():
    truth = np.zeros((1, 240, 320), np.float32)
    truth[0, 33:77, 41:155] = 1
    assert refined_levels(Maps(truth, (0.5,)), Patches(np.zeros((240, 320, 3), np.uint8))).tolist() == truth.tolist()


def test_no_prompt_has_no_levels_and_another_size_is_refused():
    patches = Patches(np.zeros((24, 32, 3), np.uint8))
    assert refined_levels(Maps.empty((24, 32)), patches).shape == (0, 24, 32)
    with pytest.raises(ValueError, match=r"\(12, 32\).*\(24, 32\)"):
        refined_levels(Maps(np.zeros((1, 12, 32), np.float32), (0.5,)), patches)
