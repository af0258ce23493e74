# SPDX-License-Identifier: Apache-2.0
"""Depth images in metres, in the size of the picture that they belong to."""
from __future__ import annotations

import cv2
import numpy as np

METRES_PER_UNIT = {"32FC1": 1.0, "16UC1": 1e-3, "mono16": 1e-3}
"""Depth encodings and their unit: floats are metres, 16-bit integers millimetres (REP 118)."""

_UNITS = {"32FC1": "metres", "16UC1": "millimetres", "mono16": "millimetres"}
_LOOKS = {"32FC1": {"millimetres": (100.0, 1e5), "centimetres": (20.0, 500.0)},
          "16UC1": {"metres": (0.0, 20.0), "centimetres": (20.0, 50.0), "tenths of a millimetre": (2e4, 65534.0)}}
"""Other units that readings without a valid one among them may have: between which medians they look so."""

_NO_READING = 65535
"""What some cameras send in 16 bits where they measured nothing."""
_ROWS = 8
"""Rows of a depth image by which its byte order is judged."""
_ALIKE = 0.05
"""Share of the depth by which neighbours on a surface differ at most."""
_MOSTLY = 0.8
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
    _check_encoding(encoding)
    metres = depth.astype(np.float32)
    with np.errstate(invalid="ignore"):
        metres *= np.float32(METRES_PER_UNIT[encoding])
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


def to_points(rays: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(..., 3) float32 metres in the optical frame of pixels with rays (..., 2) at z = 1 and depth (...) along z.

    NaN where either is unknown.
    """
    points = np.empty((*depth.shape, 3), np.float32)
    np.multiply(rays, depth[..., None], out=points[..., :2])
    points[..., 2] = np.where(np.isnan(points[..., 0]), np.float32(np.nan), depth)
    return points


def why_unmeasured(depth: np.ndarray, encoding: str, *, min_depth: float, max_depth: float) -> str:
    """A sentence on a depth image (h, w) of which no reading is in [`min_depth`, `max_depth`] metres.

    It has the range of the readings in the unit of the encoding, and a guess where they look like another unit.

    Raises
    ------
    ValueError
        If `encoding` is not one of `METRES_PER_UNIT`.
    """
    _check_encoding(encoding)
    with np.errstate(invalid="ignore"):
        readings = depth[(depth > 0) & np.isfinite(depth)]
    if depth.dtype == np.uint16:
        readings = readings[readings != _NO_READING]
    if not readings.size:
        return (f"all {depth.size} depth readings are {' or '.join(_kinds(depth))}, and these are no distances; the "
                "sensor must be uncovered, switched on and in reach of what it looks at")
    units = _likely_units(encoding, float(np.median(readings)))
    low, high = (f"{end:.0f}" if 10 <= end < 1e6 else f"{end:.3g}" for end in (readings.min(), readings.max()))
    guess = f"; these look like {units}" if units else f", from {min_depth:g} to {max_depth:g} m (min_depth, max_depth)"
    return f"the readings are {low} to {high}: {encoding} must be {_UNITS[encoding]}{guess}"


def _kinds(depth: np.ndarray) -> list[str]:
    """What the readings are of which none is a distance."""
    if depth.dtype == np.uint16:
        kinds = {"0": depth == 0, str(_NO_READING): depth == _NO_READING}
    else:
        kinds = {"0": depth == 0, "NaN": np.isnan(depth), "infinite": np.isinf(depth), "negative": depth < 0}
    return [kind for kind, there in kinds.items() if there.any()]


def _likely_units(encoding: str, median: float) -> str:
    """The units that readings with this median may have instead of the encoding's; empty where none is likely."""
    looks = _LOOKS["32FC1" if encoding == "32FC1" else "16UC1"]
    return " or ".join(unit for unit, (least, most) in looks.items() if least < median <= most)


def looks_swapped(depth: np.ndarray, encoding: str, *, min_depth: float, max_depth: float) -> bool:
    """Whether the bytes of each reading of (h, w) seem to be in the wrong order.

    They do where neighbours hardly ever are on one surface in the given order, and nearly always in the other one.
    """
    rows = depth[::max(len(depth) // _ROWS, 1)]
    limits = {"min_depth": min_depth, "max_depth": max_depth}
    return _share_alike(rows, encoding, **limits) < 0.5 and _share_alike(rows.byteswap(), encoding, **limits) > _MOSTLY


def _share_alike(rows: np.ndarray, encoding: str, *, min_depth: float, max_depth: float) -> float:
    """Of the neighbours in (r, w) that are both readings, the share that are in range and nearly as far away."""
    metres = depth_in_metres(rows, encoding)
    left, right = metres[:, :-1], metres[:, 1:]
    read = ~(np.isnan(left) | np.isnan(right))
    with np.errstate(invalid="ignore"):
        alike = (np.abs(left - right) <= _ALIKE * left) & (left >= min_depth) & (left <= max_depth)
    return np.count_nonzero(alike) / max(np.count_nonzero(read), 1)


def _check_encoding(encoding: str) -> None:
    if encoding not in METRES_PER_UNIT:
        raise ValueError(f"the depth encoding is {encoding!r}; it must be one of {', '.join(METRES_PER_UNIT)}")
