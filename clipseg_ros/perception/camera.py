# SPDX-License-Identifier: Apache-2.0
"""A pinhole camera and its depth image: from a pixel and a depth to a point in metres."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

METRES_PER_UNIT = {"32FC1": 1.0, "16UC1": 1e-3, "mono16": 1e-3}
"""Depth encodings and their unit: floats are metres, 16-bit integers millimetres (REP 118)."""


@dataclass(frozen=True)
class Pinhole:
    """Focal lengths and principal point in pixels, of images of `size` (width, height).

    Lens distortion is not modelled: the rays are exact for rectified images, and as far off as the
    lens bends the picture for others.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    size: tuple[int, int]

    @classmethod
    def from_camera_info(cls, k: Sequence[float], width: int, height: int, *,
                         binning: tuple[int, int] = (1, 1),
                         roi: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Pinhole:
        """The camera that took the image, from the numbers of a sensor_msgs/CameraInfo.

        Parameters
        ----------
        k : 9 numbers, the row-major intrinsic matrix of the full sensor, in pixels
        width, height : of the full sensor, in pixels
        binning : sensor pixels per image pixel, across and down; 0 means 1
        roi : (x_offset, y_offset, width, height) on the sensor; a width or height of 0 means all of it

        Raises
        ------
        ValueError
            If the camera is not calibrated.
        """
        fx, fy, cx, cy = (float(k[i]) for i in (0, 4, 2, 5))
        if not (fx > 0 and fy > 0 and np.isfinite([fx, fy, cx, cy]).all()):
            raise ValueError(f"the camera is not calibrated: its focal lengths are {fx:g} and {fy:g}, "
                             "and they must be positive")
        across, down = (max(int(step), 1) for step in binning)
        x, y, roi_width, roi_height = roi
        size = (int(roi_width or width) // across, int(roi_height or height) // down)
        return cls(fx / across, fy / down, (cx - x) / across, (cy - y) / down, size)

    def point(self, u: float, v: float, depth: float) -> tuple[float, float, float]:
        """(x right, y down, z forward) in metres of pixel (u, v) at `depth` metres along z."""
        return (u - self.cx) / self.fx * depth, (v - self.cy) / self.fy * depth, depth


def depth_in_metres(depth: np.ndarray, encoding: str) -> np.ndarray:
    """`depth` as float32 metres of the same shape, NaN where it was not measured.

    Zero, negative, infinite and NaN readings count as not measured.

    Raises
    ------
    ValueError
        If `encoding` is not one of `METRES_PER_UNIT`.
    """
    if encoding not in METRES_PER_UNIT:
        raise ValueError(f"the depth encoding is {encoding!r}; it must be one of {', '.join(METRES_PER_UNIT)}")
    metres = depth.astype(np.float32) * np.float32(METRES_PER_UNIT[encoding])
    metres[~(np.isfinite(metres) & (metres > 0))] = np.nan
    return metres


def median_depth(depth: np.ndarray, encoding: str, mask: np.ndarray) -> float:
    """Median of the measured depths where `mask` is nonzero, in metres; NaN if there is none.

    Parameters
    ----------
    depth : (H, W), in the unit of `encoding`
    mask : (H, W)
    """
    metres = depth_in_metres(depth[mask != 0], encoding)
    measured = metres[~np.isnan(metres)]
    return float(np.median(measured)) if measured.size else float("nan")
