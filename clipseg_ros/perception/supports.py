# SPDX-License-Identifier: Apache-2.0
"""The large planes of a picture, on which and before which things stand: floor, walls, table tops."""
from __future__ import annotations

import numpy as np
from scipy import sparse

from clipseg_ros.perception.borders import Borders

MOST = 4
"""Planes of a picture."""
LEAST_SHARE = 0.05
"""Share of the picture that a plane must show."""
TOLERANCE = 0.003
"""1/m by which the inverse depth of a patch may be off its plane: 3 mm at one metre, 12 mm at two."""
LEAST_COVERED = 0.4
"""Share of a plane that a prompt must cover to mean it, and not what is on it or before it."""
LESS_SURE = 0.95
"""Share of the mean probability off the plane that one on it must reach."""

_TRIALS = 64
"""So many patches, spread over the picture, are tried, each with its neighbours as a plane."""
_ROUNDS = 3
_SCALE = 100.0
"""Pixels in which positions are counted, so that the terms of a plane are of one size."""
_RIDGE = 1e-6


def find_planes(centres: np.ndarray, inverse: np.ndarray, area: np.ndarray, borders: Borders) -> np.ndarray:
    """(n,) int64: the plane of each of n patches, the largest plane first, -1 for none.

    Planes are linear in the inverse depth. Each is the one that most pixels lie on, of those through a patch and its
    neighbours, fitted again to all patches that lie on it.

    Parameters
    ----------
    centres : (n, 2) column and row of each patch
    inverse : (n,) its inverse depth in 1/m, 0 where unknown
    area : (n,) its pixels
    """
    found = np.full(len(area), -1)
    weights = area * (inverse > 0)
    terms = np.column_stack([centres - centres.mean(axis=0), np.full(len(area), _SCALE)]) / _SCALE
    local = local_planes(terms, inverse, weights, borders)
    free = weights > 0
    for number in range(MOST):
        trials = np.flatnonzero(free)
        trials = trials[::max(-(-len(trials) // _TRIALS), 1)]
        on_plane = _best_plane(local[trials], terms, inverse, weights, free)
        if weights[on_plane].sum() < max(LEAST_SHARE * area.sum(), 1):
            break
        found[on_plane] = number
        free = free & ~on_plane
    return found


def local_planes(terms: np.ndarray, inverse: np.ndarray, weights: np.ndarray, borders: Borders) -> np.ndarray:
    """(n, 3) float64: the plane through each patch and its neighbours without a step between.

    terms : (n, 3) float64, of which the inverse depth (n,) is a weighted sum on a plane
    weights : (n,) how much a patch counts
    """
    joined = borders.open > 0.5
    ends = borders.first[joined], borders.second[joined]
    count = len(terms)
    half = sparse.coo_matrix((np.ones(len(ends[0])), ends), (count, count))
    near = (half + half.T + sparse.identity(count)).tocsr()
    columns = np.column_stack([terms, inverse])
    products = (terms[:, :, None] * columns[:, None] * weights[:, None, None]).reshape(count, 12)
    moments = (near @ products).reshape(-1, 3, 4)
    return np.linalg.solve(moments[..., :3] + _RIDGE * np.eye(3), moments[..., 3:])[..., 0]


def _best_plane(trials: np.ndarray, terms: np.ndarray, inverse: np.ndarray, weights: np.ndarray,
                free: np.ndarray) -> np.ndarray:
    """(n,) bool: the `free` patches on the plane, one of the trials (t, 3) refined, that shows most pixels."""
    if not len(trials):
        return np.zeros(len(free), bool)
    near = (np.abs(trials @ terms.T - inverse) < TOLERANCE) & free
    on_plane = near[(near @ weights).argmax()]
    for _ in range(_ROUNDS):
        used = terms * (weights * on_plane)[:, None]
        plane = np.linalg.solve(used.T @ terms + _RIDGE * np.eye(3), used.T @ inverse)
        on_plane = (np.abs(terms @ plane - inverse) < TOLERANCE) & free
    return on_plane


def keeps_clear(planes: np.ndarray, area: np.ndarray, covered: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """(p, n) bool: False for patches on a plane that a prompt covers without meaning it.

    It covers a small part of the plane and is less sure there than off the plane: what is meant is something on it or
    before it, and the plane lies under the map's soft edge. A door in a wall or a rug is not less sure.

    planes : (n,) from `find_planes`
    area : (n,) pixels of each patch
    covered, levels : (p, n) pixels of it that each of p prompts covers, and their mean probability
    """
    clear = np.ones(covered.shape, bool)
    sums = covered * levels
    for number in range(planes.max(initial=-1) + 1):
        on_plane = planes == number
        pixels, off = covered[:, on_plane].sum(axis=1), covered[:, ~on_plane].sum(axis=1)
        level = sums[:, on_plane].sum(axis=1) / np.maximum(pixels, 1)
        level_off = sums[:, ~on_plane].sum(axis=1) / np.maximum(off, 1)
        leaks = (pixels < LEAST_COVERED * area[on_plane].sum()) & (level < LESS_SURE * level_off)
        clear[np.ix_(leaks, on_plane)] = False
    return clear
