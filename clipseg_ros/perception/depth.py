# SPDX-License-Identifier: Apache-2.0
"""Depth images in metres, in the size of the picture that they belong to."""
from __future__ import annotations

import cv2
import numpy as np

METRES_PER_UNIT = {"32FC1": 1.0, "16UC1": 1e-3, "mono16": 1e-3}
"""Depth encodings and their unit: floats are metres, 16-bit integers millimetres (REP 118)."""

_SAME_VIEW = 0.02
"""Share by which the proportions of two images of one view may differ, for a row or two that was cut off."""


def depth_in_metres(depth: np.ndarray, encoding: str, *, min_depth: float = 0.0,
                    max_depth: float = float("inf")) -> np.ndarray:
    """`depth` as float32 metres of the same shape, NaN where it was not measured.

    Zero, negative, infinite and NaN readings, and those outside [`min_depth`, `max_depth`] metres, count as not
    measured.

    Raises
    ------
    ValueError
        If `encoding` is not one of `METRES_PER_UNIT`.
    """
    if encoding not in METRES_PER_UNIT:
        raise ValueError(f"the depth encoding is {encoding!r}; it must be one of {', '.join(METRES_PER_UNIT)}")
    metres = depth.astype(np.float32)
    metres *= np.float32(METRES_PER_UNIT[encoding])
    with np.errstate(invalid="ignore"):
        measured = (metres > 0) & (metres >= np.float32(min_depth)) & (metres <= np.float32(max_depth))
    measured &= np.isfinite(metres)
    metres[~measured] = np.nan
    return metres


def fit_to(depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`depth` (h, w) resampled to `size` (width, height) by taking the nearest reading, never a mean of two.

    Raises
    ------
    ValueError
        If the proportions differ, so that the two cannot show the same view.
    """
    height, width = depth.shape
    if (width, height) == size:
        return depth
    if abs(width * size[1] / (height * size[0]) - 1) > _SAME_VIEW:
        raise ValueError(f"the depth image has {width}x{height} pixels and the image {size[0]}x{size[1]}: they do not "
                         "show the same view; depth registered to the colour camera is needed")
    return cv2.resize(np.ascontiguousarray(depth), size, interpolation=cv2.INTER_NEAREST_EXACT)
