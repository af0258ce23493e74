# SPDX-License-Identifier: Apache-2.0
"""Patches into larger pieces: the pair that most surely belongs together first, until none does."""
from __future__ import annotations

import numpy as np

from clipseg_ros.perception.borders import Borders

BIAS = -1.0
"""Evidence for one thing of a border without difference of colour and with a step of one metre."""
STEP, COLOUR = -1.63, -0.06
"""Evidence per natural logarithm of the step in metres, and per unit of `colour_distance`.

A logistic regression on 126,000 pairs of neighbouring patches of meant things in the simulated home (are both of the
same one?) gave these two; creases and the length of the border told nothing more. Its bias was 0.9, as nearly all such
pairs are of one thing: a wrong cut is mended by `joining`, a wrong merge never is.
"""
CERTAIN = 6.0
"""Evidence from which on neighbours are merged at once, whatever the rest of their border is like."""
_LEAST_STEP = 1e-3


def evidence(step: np.ndarray, colour: np.ndarray, bias: float) -> np.ndarray:
    """(m,) float64, above 0 where the two sides of a border with this mean step and colour are of one thing."""
    return bias + STEP * np.log(np.maximum(step, _LEAST_STEP)) + COLOUR * colour


def merge(count: int, borders: Borders, bias: float) -> np.ndarray:
    """(count,) int64: the piece of each of `count` nodes, named by one of its nodes.

    In each round those pairs merge of which each is the other's best neighbour and whose border, all of it, has
    evidence above 0. Borders of merged nodes become one, with the mean of their steps and colours.
    """
    pairs = np.stack([borders.first, borders.second])
    piece = roots(count, *pairs[:, evidence(borders.step, borders.colour, bias) > CERTAIN])
    pairs = piece[pairs]
    sums = borders.length * np.stack([np.ones(len(borders)), borders.step, borders.colour])
    while pairs.shape[1]:
        pairs, sums = _pooled(count, pairs, sums)
        surely = evidence(sums[1] / sums[0], sums[2] / sums[0], bias)
        best = np.full(count, -np.inf)
        for ends in pairs:
            np.maximum.at(best, ends, surely)
        mutual = (surely > 0) & (surely >= best[pairs[0]]) & (surely >= best[pairs[1]])
        if not mutual.any():
            break
        root = roots(count, *pairs[:, mutual])
        piece, pairs = root[piece], root[pairs]
    return piece


def _pooled(count: int, pairs: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2, k) different pairs of nodes, and (3, k) what their borders (3, m) sum up to."""
    pairs, sums = pairs[:, pairs[0] != pairs[1]], sums[:, pairs[0] != pairs[1]]
    names, place = np.unique(pairs.min(axis=0) * count + pairs.max(axis=0), return_inverse=True)
    return np.stack(np.divmod(names, count)), np.stack([np.bincount(place, row, len(names)) for row in sums])


def roots(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(count,) int64: the smallest node of the connected component of each node, given pairs (m,) that are joined."""
    root = np.arange(count)
    while True:
        low = np.minimum(root[first], root[second])
        before = root.copy()
        for ends in (first, second):
            np.minimum.at(root, root[ends], low)
        root = root[root]
        if (root == before).all():
            return root
