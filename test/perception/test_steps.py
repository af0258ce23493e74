# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.steps import LEAST_STEP, REACH, CoarseDepth, filled, steps


def test_a_plane_has_no_steps_however_slanted():
    columns, rows = np.meshgrid(np.arange(30), np.arange(20))
    inverse = (0.5 + 0.02 * columns - 0.01 * rows).astype(np.float32)
    assert steps(inverse) == pytest.approx(np.zeros((20, 29)), abs=1e-6)
    assert steps(inverse.T) == pytest.approx(np.zeros((30, 19)), abs=1e-6)


def test_a_jump_is_one_step_of_its_height():
    inverse = np.full((4, 10), 0.5, np.float32)
    inverse[:, 5:] = 0.2
    expected = np.zeros((4, 9))
    expected[:, 4] = 0.3
    assert steps(inverse) == pytest.approx(expected, abs=1e-6)


def test_a_crease_is_no_step():
    inverse = np.abs(np.arange(-6, 7, dtype=np.float32))[None].repeat(3, axis=0) * np.float32(0.1)
    assert steps(inverse) == pytest.approx(np.zeros((3, 12)), abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (5, 2), (3, 0)])
def test_where_there_are_no_second_differences_there_are_no_steps(shape):
    assert not steps(np.ones(shape, np.float32)).any()


def test_holes_take_the_nearest_reading_within_reach():
    depth = np.full((5, 40), np.nan, np.float32)
    depth[:, :4] = 2.0
    inverse, known = filled(depth)
    assert known[2].tolist() == [column <= 3 + REACH for column in range(40)]
    assert inverse[known] == pytest.approx(np.full(known.sum(), 0.5))
    assert not inverse[~known].any()


def test_a_pinhole_takes_the_mean_around_it():
    depth = np.full((9, 9), 2.0, np.float32)
    depth[4, 4] = np.nan
    inverse, known = filled(depth)
    assert known.all() and inverse == pytest.approx(np.full((9, 9), 0.5))


def test_depth_that_was_measured_nowhere_is_known_nowhere():
    inverse, known = filled(np.full((6, 6), np.nan, np.float32))
    assert not known.any() and not inverse.any()


def test_coarse_depth_sees_a_step_between_two_walls():
    depth = np.full((40, 60), 1.0, np.float32)
    depth[:, 30:] = 2.0
    found = CoarseDepth.of(depth, 2)
    assert found.inverse.shape == (20, 30) and found.known.all() and found.least == LEAST_STEP
    assert found.across.shape == (20, 29) and found.down.shape == (19, 30)
    assert found.across[:, 14] == pytest.approx(np.full(20, 0.5)) and (found.across > 0.01).sum() == 20
    assert not found.down.any()


def test_noise_is_no_step():
    depth = (2.0 + np.random.default_rng(0).normal(0, 0.05, (200, 200))).astype(np.float32)
    found = CoarseDepth.of(depth, 1)
    assert found.least > LEAST_STEP and (found.across > found.least).mean() < 0.2


def test_no_step_is_known_beside_unknown_depth():
    depth = np.full((4, 60), np.nan, np.float32)
    depth[:, :20], depth[:, 45:] = 1.0, 3.0
    found = CoarseDepth.of(depth, 1)
    assert not found.known[:, 30:35].any() and not found.across[:, 27:37].any()
