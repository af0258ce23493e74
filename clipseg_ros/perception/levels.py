# SPDX-License-Identifier: Apache-2.0
"""Maps with the edges of the picture: what the network says of a patch and of its neighbours that look alike."""
from __future__ import annotations

import cv2
import numpy as np
from scipy import sparse

from clipseg_ros.perception.borders import Borders
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.patches import Patches

STRENGTH = 60.0
"""Pixels of a patch that weigh as much as a pixel of open border between patches of one colour."""
ALIKE = 14.0
"""`colour_distance` of neighbours from which on they have little to do with each other."""
SURE = (0.02, 0.98)
"""Outside of this range a pixel keeps the network's probability: it is sure, and exact maps stay exact."""
_SWEEPS = 12


def refined_levels(maps: Maps, patches: Patches) -> np.ndarray:
    """(p, h, w) float32 in [0, 1]: the probabilities of p prompts on the coarse grid of the patches, with their edges.

    Raises
    ------
    ValueError
        If the maps do not have the picture's size.
    """
    if maps.size != patches.rgb.shape[:2]:
        raise ValueError(f"the maps have the size {maps.size} and the picture {patches.rgb.shape[:2]}; "
                         "they must be (height, width) of one image")
    if not len(maps):
        return np.zeros((0, *patches.size), np.float32)
    coarse = [_probability(patches.coarse(one), maps.full_scale) for one in maps.values]
    means = diffused(patches.means(coarse), patches.area, patches.borders).astype(np.float32)
    levels = np.empty((len(maps), *patches.size), np.float32)
    for level, mean, own in zip(levels, means.T, coarse):
        np.take(mean, patches.labels, out=level, mode="clip")
        cv2.copyTo(own, cv2.bitwise_not(cv2.inRange(own, *SURE)), level)
    return levels


def _probability(values: np.ndarray, full_scale: float) -> np.ndarray:
    """float32 of the same shape, in [0, 1]."""
    if values.dtype == np.float32 and full_scale == 1:
        return values
    return values * np.float32(1 / full_scale)


def diffused(values: np.ndarray, area: np.ndarray, borders: Borders) -> np.ndarray:
    """(n, p) float64 x that solves (A + L) x = A values: each patch pulled towards the neighbours that look alike.

    A is diagonal, the `area` (n,) of each patch; L is the Laplacian of the graph whose weights are `STRENGTH` x the
    open length of a border x exp(-(colour distance / `ALIKE`)^2). By 12 Jacobi sweeps: what is farther away than
    12 patches has no say.
    """
    count = len(area)
    weights = STRENGTH * borders.length * borders.open * np.exp(-(borders.colour / ALIKE) ** 2)
    half = sparse.coo_matrix((weights, (borders.first, borders.second)), (count, count))
    both = (half + half.T).tocsr()
    total = area + np.asarray(both.sum(axis=1)).ravel()
    pull, own = sparse.diags(1 / total) @ both, (area / total)[:, None] * values
    for _ in range(_SWEEPS):
        values = own + pull @ values
    return values
