# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.joining import Piece, apart, are_one, join

GREY, RED = np.array([128.0, 128, 128]), np.array([128.0, 160, 130])


def board(x: float, width: float, colour: np.ndarray = GREY, z: float = 2.0) -> Piece:
    """A board of half a metre's height whose left edge is at x."""
    columns, rows = np.meshgrid(np.linspace(x, x + width, 6), np.linspace(0, 0.5, 6))
    return Piece(np.column_stack([columns.ravel(), rows.ravel(), np.full(36, z)]), 0.5 * width, colour)


def test_distance_of_the_nearest_fifth():
    small, large = board(0.0, 0.1).points, board(0.4, 1.0).points
    third = np.hypot(0.3, 0.1)
    assert apart(small, large) == pytest.approx(third, abs=0.021), "from the nearest column, to another row"
    assert apart(small[:1], large[:1]) == pytest.approx(0.4)


@pytest.mark.parametrize(("one", "other", "touching", "occluded", "same"), [
    (board(0, 0.5), board(0.55, 0.5), True, False, True),
    (board(0, 0.5), board(0.0, 0.5, z=4.0), True, False, False),
    (board(0, 0.5), board(0.55, 0.5, RED), True, False, True),
    (board(0, 0.5), board(0.9, 0.5), False, False, False),
    (board(0, 0.5), board(0.9, 0.5), False, True, True),
    (board(0, 0.5), board(0.9, 0.5, RED), False, True, False),
    (board(0, 0.5), board(9.0, 0.5), False, True, False),
], ids=["side by side", "two metres behind", "of another colour", "a gap", "something before the gap",
        "something before two colours", "too far apart"])
def test_pieces_are_one_thing_where_they_are_near_and_alike(one, other, touching, occluded, same):
    assert are_one(one, other, touching=touching, occluded=occluded) == same
    assert are_one(other, one, touching=touching, occluded=occluded) == same


def test_an_occluder_is_asked_for_only_where_it_matters():
    def never() -> list[set[int]]:
        raise AssertionError("nobody needs to know")

    touching = [board(0, 0.5), board(0.55, 0.5), board(5, 0.5, RED)]
    assert join(touching, {(0, 1)}, never).tolist() == [0, 0, 2]
    gap = [board(0, 0.5), board(0.9, 0.5)]
    assert join(gap, set(), lambda: [{7}, {7, 8}]).tolist() == [0, 0]
    assert join(gap, set(), lambda: [{7}, {8}]).tolist() == [0, 1]
    assert join([], set(), never).tolist() == []
