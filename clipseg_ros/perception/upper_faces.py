# SPDX-License-Identifier: Apache-2.0
"""The upper faces of visible surfaces, where a suction gripper that comes from above takes hold."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipseg_ros.perception.surface import Surfaces, masked_median

_HIGH = 0.98
"""Quantile of the points' heights from which the upper face is looked for; higher ones may be stray readings."""
_BELOW = 0.01
"""Metres below that height in which points may be of the face; at more than a metre as many for each metre of distance,
as a depth camera's noise grows."""
_DEVIATIONS = 2.5 * 1.4826
"""Median absolute deviations from the median height beyond which a point is of the sides or a stray reading."""
_EVEN = 0.002
"""Metres from the median height within which a point is of the face however even that is."""
_ROUNDS = 3


@dataclass(frozen=True)
class UpperFaces:
    """Of n objects.

    kept : (n, k) bool, which of the surfaces' points are of the face; at least one of each object that has points
    centres : (n, 3) float64 metres, the means of the faces, each point counting as much as the area that it stands for
    pixels : (n, 2) float64, columns and rows at which the centres are seen, but for the curve of the lens
    """

    kept: np.ndarray
    centres: np.ndarray
    pixels: np.ndarray


def upper_faces(surfaces: Surfaces, up: np.ndarray) -> UpperFaces:
    """The upper faces of the surfaces, each of which must have a point; up: (3,) unit vector in the camera's frame.

    The points within a centimetre of the highest, without those far from their median height: the face of a box is
    even, and what its sides show of that centimetre is left out. Of something round it is the uppermost centimetre.
    """
    heights, kept = surfaces.points @ up, surfaces.kept
    ordered = np.sort(np.where(kept, heights, np.inf), axis=1)
    rank = np.rint(_HIGH * (kept.sum(axis=1) - 1)).astype(int)
    high = np.take_along_axis(ordered, rank[:, None], axis=1)
    distance = np.linalg.norm(surfaces.points, axis=2)
    face = kept & (heights >= high - _BELOW * np.maximum(distance, 1.0))
    for _ in range(_ROUNDS):
        away = np.abs(heights - masked_median(heights, face)[:, None])
        face &= away <= np.maximum(_DEVIATIONS * masked_median(away, face)[:, None], _EVEN)
    # On a plane, the area that a pixel sees grows with the cube of its depth.
    area = face * surfaces.points[..., 2] ** 3
    centres = _weighted_mean(surfaces.points, area)
    return UpperFaces(face, centres, _weighted_mean(surfaces.pixels, area * surfaces.points[..., 2]))


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, d) of (n, k, d) with weights (n, k)."""
    return (weights[:, None] @ values)[:, 0] / weights.sum(axis=1, keepdims=True)
