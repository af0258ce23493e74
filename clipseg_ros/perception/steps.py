# SPDX-License-Identifier: Apache-2.0
"""Where depth steps from one surface to another: inverse depth on a coarse grid, and the steps between its pixels.

The inverse depth of a plane is linear in the image, however slanted the plane is, so its second differences are zero.
A crease bends it at one pixel, a step at two neighbours: the smaller one of their second differences is the step.
"""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

REACH = 8
"""Pixels of the coarse grid over which a hole in the depth takes the nearest reading."""
LEAST_STEP = 0.004
"""Difference of inverse depths, in 1/m, that is never a step: 4 mm at one metre."""
_NOISY = 4.0
"""Steps are larger than so many times the frame's median second difference, which is its noise."""
_PINHOLE = 4
"""A hole with so many readings among its 8 neighbours takes their mean."""
_MEDIAN_STRIDE = 4


@dataclass(frozen=True)
class CoarseDepth:
    """Depth on a coarse grid of h x w pixels.

    Attributes
    ----------
    inverse : (h, w) float32 in 1/m; 0 where unknown
    known : (h, w) bool, where it was measured or is near enough to a reading
    across, down : (h, w - 1) and (h - 1, w) float32 in 1/m, steps between neighbours; 0 where one is unknown
    least : 1/m from which on a step is more than noise
    """

    inverse: np.ndarray
    known: np.ndarray
    across: np.ndarray
    down: np.ndarray
    least: float

    @classmethod
    def of(cls, depth: np.ndarray, step: int) -> CoarseDepth:
        """Of a (H, W) float32 depth in metres with NaN where unknown: every `step`-th reading, holes filled."""
        height, width = depth.shape[0] // step, depth.shape[1] // step
        coarse = depth[step // 2::step, step // 2::step][:height, :width]
        inverse, known = filled(coarse)
        across, down = steps(inverse), np.ascontiguousarray(steps(inverse.T).T)
        if not known.all():
            across[~(known[:, 1:] & known[:, :-1])] = 0
            down[~(known[1:] & known[:-1])] = 0
        noise = np.median(across[::_MEDIAN_STRIDE, ::_MEDIAN_STRIDE]) if across.size else 0.0
        return cls(inverse, known, across, down, max(LEAST_STEP, _NOISY * float(noise)))


def filled(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) float32 inverse depth in 1/m, and (h, w) bool where it is known, of a depth in metres with NaN.

    A pinhole takes the mean of its neighbours, a hole the nearest reading within `REACH`; then each pixel takes the
    median of 3 x 3, which removes single flying pixels.
    """
    known = depth > 0
    inverse = np.zeros(depth.shape, np.float32)
    np.divide(np.float32(1), depth, out=inverse, where=known)
    if not known.all() and known.any():
        around = cv2.boxFilter(known.astype(np.float32), -1, (3, 3), normalize=False)
        means = cv2.boxFilter(inverse, -1, (3, 3), normalize=False) / np.maximum(around, 1)
        pinholes = ~known & (around >= _PINHOLE)
        inverse = np.where(pinholes, means, inverse)
        known = known | pinholes
        inverse, known = _nearest(inverse, known)
    return cv2.medianBlur(inverse, 3), known


def _nearest(inverse: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unknown pixels take the value of the nearest known one within `REACH`."""
    if known.all():
        return inverse, known
    away, nearest = cv2.distanceTransformWithLabels((~known).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5,
                                                    labelType=cv2.DIST_LABEL_PIXEL)
    values = np.zeros(nearest.max() + 1, np.float32)
    values[nearest[known]] = inverse[known]
    near = away <= REACH
    return np.where(near, values[nearest], np.float32(0)), near


def steps(inverse: np.ndarray) -> np.ndarray:
    """(h, w - 1) float32: the step between horizontal neighbours of (h, w), in the same unit; 0 on every plane."""
    if inverse.shape[1] < 3:
        return np.zeros((len(inverse), max(inverse.shape[1] - 1, 0)), np.float32)
    inverse = np.ascontiguousarray(inverse)
    slope = cv2.subtract(inverse[:, 1:], inverse[:, :-1])
    bend = cv2.copyMakeBorder(cv2.absdiff(slope[:, 1:], slope[:, :-1]), 0, 0, 1, 1, cv2.BORDER_REPLICATE)
    return cv2.min(cv2.min(bend[:, 1:], bend[:, :-1]), np.abs(slope))
