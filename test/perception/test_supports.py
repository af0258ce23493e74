# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from clipseg_ros.perception.borders import Borders
from clipseg_ros.perception.supports import find_planes, keeps_clear


def grid(columns: int, rows: int) -> tuple[np.ndarray, Borders]:
    """Centres (n, 2) of patches of 10 x 10 pixels and their borders, all open."""
    number = np.arange(columns * rows).reshape(rows, columns)
    first = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    second = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    ones = np.ones(len(first))
    centres = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2) * 10.0 + 4.5
    return centres, Borders(first, second, 10 * ones, 0 * ones, 0 * ones, ones)


def test_floor_and_wall_are_two_planes_and_a_thing_on_them_is_none():
    centres, borders = grid(16, 12)
    row = centres[:, 1]
    inverse = np.where(row < 50, 0.25, 0.25 + 0.004 * (row - 50))
    thing = (np.abs(centres - (80, 70)) < 12).all(axis=1)
    inverse = np.where(thing, 0.6 + 0.01 * np.random.default_rng(0).random(len(row)), inverse)
    planes = find_planes(centres, inverse, np.full(len(row), 100.0), borders)
    floor, wall = planes[(row > 60) & ~thing], planes[row < 40]
    assert set(floor) == {0} and set(wall) == {1} and set(planes[thing]) == {-1}


def test_unknown_depth_is_on_no_plane():
    centres, borders = grid(8, 8)
    inverse = np.where(centres[:, 0] < 40, 0.5, 0.0)
    planes = find_planes(centres, inverse, np.full(64, 100.0), borders)
    assert (planes[inverse > 0] == 0).all() and (planes[inverse == 0] == -1).all()
    assert (find_planes(centres, np.zeros(64), np.full(64, 100.0), borders) == -1).all()


def test_of_a_plane_that_is_hardly_covered_and_doubtful_nothing_is_meant():
    planes, area = np.array([0] * 8 + [-1] * 2), np.full(10, 100.0)
    covered = np.zeros((4, 10))
    levels = np.zeros((4, 10))
    covered[:, 8:], levels[:, 8:] = 100, 0.9
    covered[0, :2], levels[0, :2] = 100, 0.6  # the map's soft edge on the floor
    covered[1, :2], levels[1, :2] = 100, 0.9  # a rug is as sure as what stands on it
    covered[2, :6], levels[2, :6] = 100, 0.6  # the floor itself
    clear = keeps_clear(planes, area, covered, levels)
    assert clear[0].tolist() == [False] * 8 + [True] * 2
    assert clear[1:3].all()
