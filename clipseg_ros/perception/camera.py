# SPDX-License-Identifier: Apache-2.0
"""A calibrated camera: from pixels to the rays along which it saw them."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

_FISHEYE = "equidistant"
_POLYNOMIAL = ("plumb_bob", "rational_polynomial", "")
_COEFFICIENTS = {True: (4,), False: (4, 5, 8, 12, 14)}
"""How many numbers OpenCV's lens models have: the fisheye's, and the polynomial ones'."""


@dataclass(frozen=True)
class Pinhole:
    """Focal lengths and principal point in pixels, of images of `size` (width, height).

    Attributes
    ----------
    distortion : coefficients of the lens in OpenCV's order; empty for a rectified image
    fisheye : whether they are those of the equidistant model
    """

    fx: float
    fy: float
    cx: float
    cy: float
    size: tuple[int, int]
    distortion: tuple[float, ...] = ()
    fisheye: bool = False

    @classmethod
    def from_camera_info(cls, k: Sequence[float], width: int, height: int, *,
                         d: Sequence[float] = (), model: str = "plumb_bob",
                         p: Sequence[float] = (), rectified: bool = False,
                         binning: tuple[int, int] = (1, 1),
                         roi: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Pinhole:
        """The camera that took the image, from the numbers of a sensor_msgs/CameraInfo (REP 104).

        Parameters
        ----------
        k : 9 numbers, the row-major intrinsic matrix of the full sensor, in pixels
        width, height : of the full sensor, in pixels
        d, model : distortion coefficients and the name of their model; all zero means none
        p, rectified : 12 numbers, the row-major projection matrix, which describes the image where it is rectified
        binning : sensor pixels per image pixel, across and down; 0 means 1
        roi : (x_offset, y_offset, width, height) on the sensor; a width or height of 0 means all of it

        Raises
        ------
        ValueError
            If the camera is not calibrated, or its lens has a model that OpenCV does not know.
        """
        fx, fy, cx, cy = _intrinsics(k, p if rectified else ())
        distortion = () if rectified or not any(d) else tuple(float(value) for value in d)
        fisheye = bool(distortion) and model == _FISHEYE
        if distortion:
            _check_lens(distortion, model)
        across, down = (max(int(step), 1) for step in binning)
        x, y, roi_width, roi_height = roi
        size = (int(roi_width or width) // across, int(roi_height or height) // down)
        return cls(fx / across, fy / down, (cx - x) / across, (cy - y) / down, size, distortion, fisheye)

    @cached_property
    def rays(self) -> np.ndarray:
        """(height, width, 2) float32: x and y of every pixel's ray at z = 1. Computed once."""
        width, height = self.size
        if not self.distortion:
            rays = np.empty((height, width, 2), np.float32)
            rays[..., 0] = (np.arange(width) - self.cx) / self.fx
            rays[..., 1] = ((np.arange(height) - self.cy) / self.fy)[:, None]
            return rays
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
        return self._undistort(np.stack([columns, rows], axis=-1).reshape(-1, 2)).astype(np.float32).reshape(
            height, width, 2)

    def bearing(self, u: float, v: float) -> np.ndarray:
        """(3,) float64: the unit vector (x right, y down, z forward) from the camera through pixel (u, v)."""
        if self.distortion:
            x, y = self._undistort(np.array([[u, v]], np.float64))[0]
        else:
            x, y = (u - self.cx) / self.fx, (v - self.cy) / self.fy
        return np.array([x, y, 1.0]) / np.sqrt(x * x + y * y + 1.0)

    def _undistort(self, pixels: np.ndarray) -> np.ndarray:
        """(n, 2) float64 x and y at z = 1 of (n, 2) float64 pixels."""
        matrix = np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])
        coefficients = np.array(self.distortion)
        stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-9)
        if self.fisheye:
            return cv2.fisheye.undistortPoints(pixels[:, None], matrix, coefficients, criteria=stop)[:, 0]
        # OpenCV 4 has the exact one under another name.
        undistort = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)
        return undistort(pixels[:, None], matrix, coefficients, R=np.eye(3), P=np.eye(3), criteria=stop)[:, 0]


def _intrinsics(k: Sequence[float], p: Sequence[float]) -> tuple[float, float, float, float]:
    """(fx, fy, cx, cy) of the projection matrix where it is filled in, otherwise of the intrinsic one."""
    fx, fy, cx, cy = (float(p[i]) for i in (0, 5, 2, 6)) if len(p) == 12 and p[0] else (
        float(k[i]) for i in (0, 4, 2, 5))
    if not (fx > 0 and fy > 0 and np.isfinite([fx, fy, cx, cy]).all()):
        raise ValueError(f"the camera is not calibrated: its focal lengths are {fx:g} and {fy:g}, "
                         "and they must be positive")
    return fx, fy, cx, cy


def _check_lens(distortion: tuple[float, ...], model: str) -> None:
    if model != _FISHEYE and model not in _POLYNOMIAL:
        raise ValueError(f"the distortion model {model[:40]!r} is unknown; it must be plumb_bob, rational_polynomial or "
                         "equidistant, or the image must be rectified and `rectified` set")
    counts = _COEFFICIENTS[model == _FISHEYE]
    if len(distortion) not in counts or not np.isfinite(distortion).all():
        raise ValueError(f"the camera has {len(distortion)} distortion coefficients; {model or 'plumb_bob'} has "
                         f"{' or '.join(map(str, counts))} finite ones")
