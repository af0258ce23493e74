# SPDX-License-Identifier: Apache-2.0
"""Pieces into things: what an occluder or a step divides in the picture and is one thing all the same."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from clipseg_ros.perception.borders import colour_distance
from clipseg_ros.perception.merging import roots

MOST_PIECES = 16
"""Of more pieces of a prompt only the largest are compared."""
POINTS = 48
"""Points of a piece, at most, that distances are taken between."""


@dataclass(frozen=True)
class Rule:
    """When two pieces are one thing: bias + distance ln(d / m) + colour c + share ln(a) is above 0.

    Logistic regressions on 1,900 pairs of pieces of meant things in the simulated home were the start; the numbers were
    then changed by hand for more whole things. A small piece beside a large one is more likely a part of it than an
    equal one is, and less is lost where it is not.
    """

    bias: float
    distance: float
    colour: float
    share: float

    def holds(self, distance: float, colour: float, share: float) -> bool:
        """For a distance in metres, a `colour_distance`, and the smaller area as a share of the larger one."""
        return (self.bias + self.distance * np.log(max(distance, _LEAST)) + self.colour * colour
                + self.share * np.log(max(share, _PART))) > 0


TOUCHING = Rule(-0.6, -1.75, -0.04, -0.2)
APART = Rule(-0.5, -0.54, -0.08, -0.4)
"""Only where the distance is less than half of the smaller piece: there is no more of it between them."""
OCCLUDED = Rule(0.9, -0.54, -0.08, -0.4)
"""Where one thing stands before both, and the distance is less than the larger piece."""
_LEAST, _PART = 0.005, 0.1
"""Distances and shares below these count as these."""
_OF_SMALLER, _OF_LARGER = 0.5, 1.0
_QUANTILE = 0.2
_NEAREST = 3


@dataclass(frozen=True)
class Piece:
    """What is compared of a piece: points (k, 3) in metres, area in square metres, mean colour (3,)."""

    points: np.ndarray
    area: float
    colour: np.ndarray

    @cached_property
    def extent(self) -> float:
        """Diagonal of the box around its points, in metres."""
        return float(np.linalg.norm(np.ptp(self.points, axis=0)))


def are_one(one: Piece, other: Piece, *, touching: bool, occluded: bool) -> bool:
    """Whether two pieces of a prompt are parts of one thing."""
    small, large = sorted((one, other), key=lambda piece: piece.area)
    rule = TOUCHING if touching else OCCLUDED if occluded else APART
    colour = float(colour_distance(one.colour, other.colour))
    share = small.area / max(large.area, 1e-9)
    if not rule.holds(0.0, colour, share):
        return False
    distance = apart(small.points, large.points)
    if not rule.holds(distance, colour, share):
        return False
    return touching or distance < (_OF_LARGER * large.extent if occluded else _OF_SMALLER * small.extent)


def apart(small: np.ndarray, large: np.ndarray) -> float:
    """Metres from the nearest fifth of one piece's points (k, 3) to the third nearest of the other's (l, 3).

    The nearest one may be a stray of something behind.
    """
    squares = ((small[:, None] - large[None]) ** 2).sum(axis=2)
    third = min(_NEAREST, len(large)) - 1
    squares = np.partition(squares, third, axis=1)[:, third]
    place = round(_QUANTILE * (len(squares) - 1))
    return float(np.sqrt(np.partition(squares, place)[place]))


def join(pieces: list[Piece], touching: set[tuple[int, int]], occluders: Callable[[], list[set[int]]]) -> np.ndarray:
    """(len(pieces),) int64: the thing of each piece of one prompt, named by its first piece.

    touching : pairs of indices, the smaller one first
    occluders : gives the bodies that stand before each piece; only asked where it matters
    """
    largest = sorted(range(len(pieces)), key=lambda index: -pieces[index].area)[:MOST_PIECES]
    pairs = []
    for one, other in combinations(sorted(largest), 2):
        two, touch = (pieces[one], pieces[other]), (one, other) in touching
        joined = are_one(*two, touching=touch, occluded=False)
        if not (joined or touch) and are_one(*two, touching=False, occluded=True):
            joined = bool(occluders()[one] & occluders()[other])
        if joined:
            pairs.append((one, other))
    return roots(len(pieces), *np.array(pairs, np.int64).reshape(-1, 2).T)
