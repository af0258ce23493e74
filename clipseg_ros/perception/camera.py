# SPDX-License-Identifier: Apache-2.0
"""A calibrated camera: from pixels to the directions from which it saw them."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import cv2
import numpy as np

_FISHEYE = ("equidistant", "fisheye", "kannala_brandt", "kannala_brandt4")
"""Names of one and the same model: the angle to the axis, distorted by a polynomial, is the distance in the image."""
_POLYNOMIAL = ("", "plumb_bob", "rational_polynomial", "radtan", "brown_conrady")
_UNBENT = ("none", "pinhole", "perspective")
_COEFFICIENTS = {_FISHEYE: (4,), _POLYNOMIAL: (4, 5, 8, 12, 14), _UNBENT: ()}
"""The names of each lens model, and how many numbers OpenCV has for it."""

_PLACEHOLDERS = ((0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0))
"""(fx, fy, cx, cy) of a matrix of zeros and of the identity."""
_FOCAL_LENGTHS = (0.1, 20.0)
"""Shares of an image's longer side between which focal lengths are plausible."""
_ANGLES = 1 << 16
"""Angles to the axis for which a lens is tabulated; between two of them it is as good as straight."""
_MISS = 1.0
"""Pixels by which a ray may miss the pixel that it is of."""
_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Pinhole:
    """Focal lengths and principal point in pixels, of images of `size` (width, height).

    Attributes
    ----------
    distortion : coefficients of the lens in OpenCV's order; empty for a rectified image, or for all zero
    fisheye : whether the lens has the equidistant model, also where it has no coefficients
    doubt : a sentence on what is implausible about the calibration; empty for nothing
    """

    fx: float
    fy: float
    cx: float
    cy: float
    size: tuple[int, int]
    distortion: tuple[float, ...] = ()
    fisheye: bool = False
    doubt: str = field(default="", compare=False)

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
        d, model : distortion coefficients and the name of their model; the fisheye's is one also where all are zero
        p, rectified : 12 numbers, the row-major projection matrix, which describes the image where it is rectified,
            and where `k` is a placeholder (zeros or the identity) and the lens bends nothing
        binning : sensor pixels per image pixel, across and down; 0 means 1
        roi : (x_offset, y_offset, width, height) on the sensor; a width or height of 0 means all of it

        Raises
        ------
        ValueError
            If the camera is not calibrated, or its lens has a model that is not known.
        """
        distortion, fisheye = ((), False) if rectified else _lens(d, model)
        fx, fy, cx, cy = _intrinsics(k, p, rectified=rectified, bent=fisheye or bool(distortion))
        across, down = (max(int(step), 1) for step in binning)
        x, y, roi_width, roi_height = roi
        size = (int(roi_width or width) // across, int(roi_height or height) // down)
        return cls(fx / across, fy / down, (cx - x) / across, (cy - y) / down, size, distortion, fisheye,
                   _doubt(fx, fy, cx, cy, width, height))

    @cached_property
    def rays(self) -> np.ndarray:
        """(height, width, 2) float32: x and y of every pixel's ray at z = 1. Computed once.

        NaN where a pixel has no such ray: 90 degrees or more from the axis, or where the lens model has no answer.
        """
        width, height = self.size
        if not self.distortion and not self.fisheye:
            rays = np.empty((height, width, 2), np.float32)
            rays[..., 0] = (np.arange(width) - self.cx) / self.fx
            rays[..., 1] = ((np.arange(height) - self.cy) / self.fy)[:, None]
            return rays
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
        directions = self._directions(np.stack([columns, rows], axis=-1).reshape(-1, 2))
        forward = np.where(directions[:, 2:] > 0, directions[:, 2:], np.nan)
        with np.errstate(over="ignore"):
            return (directions[:, :2] / forward).astype(np.float32).reshape(height, width, 2)

    def bearing(self, u: float, v: float) -> np.ndarray:
        """(3,) float64: the unit vector (x right, y down, z forward) from the camera through pixel (u, v).

        A fisheye's may point backwards. NaN where the lens model has no answer.
        """
        return self._directions(np.array([[u, v]], np.float64))[0]

    def project(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) float64 pixels in which points (n, 3), metres in the optical frame, are seen, also outside the image.

        NaN for points behind the camera and those that the lens does not show.
        """
        points = np.asarray(points, np.float64)
        forward = np.where(points[:, 2:] > 0, points[:, 2:], np.nan)
        plane = points[:, :2] / forward
        if self.fisheye:
            distances, angles = _angles(self.distortion)
            radius = np.hypot(plane[:, 0], plane[:, 1])
            seen = np.interp(np.arctan(radius), angles, distances, right=np.nan)
            plane = plane * (seen / np.where(radius > 0, radius, 1.0))[:, None]
        elif self.distortion:
            plane[np.hypot(plane[:, 0], plane[:, 1]) > _farthest(self.distortion)] = np.nan
            flat = np.column_stack([plane, np.ones(len(plane))])
            plane = cv2.projectPoints(flat, np.zeros(3), np.zeros(3), np.eye(3), np.array(self.distortion))[0][:, 0]
        return plane * [self.fx, self.fy] + [self.cx, self.cy]

    def resized(self, size: tuple[int, int]) -> Pinhole:
        """The camera of the same images in another `size` (width, height)."""
        across, down = size[0] / self.size[0], size[1] / self.size[1]
        return replace(self, fx=self.fx * across, fy=self.fy * down, cx=(self.cx + 0.5) * across - 0.5,
                       cy=(self.cy + 0.5) * down - 0.5, size=size)

    def _directions(self, pixels: np.ndarray) -> np.ndarray:
        """(n, 3) float64 unit vectors through (n, 2) float64 pixels; NaN where there is none."""
        if self.fisheye:
            return _equidistant((pixels - [self.cx, self.cy]) / [self.fx, self.fy], self.distortion)
        plane = self._undistort(pixels) if self.distortion else (pixels - [self.cx, self.cy]) / [self.fx, self.fy]
        length = np.hypot(np.hypot(plane[:, 0], plane[:, 1]), 1.0)
        return np.column_stack([plane, np.ones(len(plane))]) / length[:, None]

    def _undistort(self, pixels: np.ndarray) -> np.ndarray:
        """(n, 2) float64 x and y at z = 1 of (n, 2) float64 pixels, by the polynomial models; NaN where it fails."""
        matrix = np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])
        coefficients = np.array(self.distortion)
        stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-9)
        # OpenCV 4 has the exact one under another name.
        undistort = getattr(cv2, "undistortPointsIter", cv2.undistortPoints)
        found = undistort(pixels[:, None], matrix, coefficients, R=np.eye(3), P=np.eye(3), criteria=stop)[:, 0]
        found[np.hypot(found[:, 0], found[:, 1]) > _farthest(self.distortion)] = np.nan
        # OpenCV also answers for pixels that no ray leads to. In parts, since it returns large derivatives as well.
        for start in range(0, len(found), _AT_ONCE):
            part = found[start:start + _AT_ONCE]
            seen = cv2.projectPoints(np.column_stack([part, np.ones(len(part))]), np.zeros(3), np.zeros(3), matrix,
                                     coefficients)[0][:, 0]
            with np.errstate(invalid="ignore"):
                part[~(np.abs(seen - pixels[start:start + _AT_ONCE]).max(axis=1) <= _MISS)] = np.nan
        return found


@lru_cache(maxsize=8)
def _farthest(distortion: tuple[float, ...]) -> float:
    """Distance from the axis at z = 1 up to which a polynomial lens shows what is farther out farther out.

    Beyond, a pixel would be of two rays.
    """
    k1, k2, _, _, k3, k4, k5, k6 = [*distortion, *(0.0,) * 8][:8]
    radii = np.tan(np.linspace(0.0, np.pi / 2, _ANGLES, endpoint=False))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        stretch = np.polyval([k3, k2, k1, 1.0], radii ** 2) / np.polyval([k6, k5, k4, 1.0], radii ** 2)
        falls = np.flatnonzero(~(np.diff(radii * stretch) > 0))
    return float(radii[falls[0]]) if len(falls) else np.inf


def _equidistant(plane: np.ndarray, distortion: tuple[float, ...]) -> np.ndarray:
    """(n, 3) float64 unit vectors of (n, 2) float64 places in a fisheye's image, in focal lengths from its centre.

    NaN where no angle to the axis leads there.
    """
    distances, angles = _angles(distortion)
    distance = np.hypot(plane[:, 0], plane[:, 1])
    angle = np.interp(distance, distances, angles, right=np.nan)
    sideways = np.sin(angle) / np.where(distance > 0, distance, 1.0)
    return np.column_stack([plane * sideways[:, None], np.cos(angle)])


@lru_cache(maxsize=8)
def _angles(distortion: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(m,) float64 distances from the centre of a fisheye's image, rising, and (m,) the angles in radians seen there.

    The distance is t (1 + k1 t^2 + k2 t^4 + ...) for the angle t. It is followed up to 180 degrees, or to where it
    first stops to grow: beyond, one place would be of two angles.
    """
    angles = np.linspace(0.0, np.pi, _ANGLES)
    with np.errstate(over="ignore", invalid="ignore"):
        distances = angles * np.polyval([*distortion[::-1], 1.0], angles ** 2)
        falls = np.flatnonzero(~(np.diff(distances) > 0))
    monotone = falls[0] + 1 if len(falls) else _ANGLES
    return distances[:monotone], angles[:monotone]


def _lens(d: Sequence[float], model: str) -> tuple[tuple[float, ...], bool]:
    """The coefficients of a lens, empty where all are zero, and whether it is a fisheye. The model decides."""
    name = model.strip().lower().replace("-", "_").replace(" ", "_")
    names = next((names for names in _COEFFICIENTS if name in names), None)
    if names is None:
        raise ValueError(f"the distortion model {model[:40]!r} is unknown; it must be plumb_bob, rational_polynomial "
                         "or equidistant, or the image must be rectified and `rectified` set")
    if not any(d):
        return (), names is _FISHEYE
    distortion, counts = [float(value) for value in d], _COEFFICIENTS[names]
    # Some drivers have one array for all models.
    while len(distortion) not in counts and distortion and distortion[-1] == 0:
        distortion.pop()
    if len(distortion) not in counts or not np.isfinite(distortion).all():
        raise ValueError(f"the camera has {len(d)} distortion coefficients; {model[:40] or 'plumb_bob'} has "
                         + (f"{' or '.join(map(str, counts))} finite ones" if counts else "none but zeros"))
    return tuple(distortion), names is _FISHEYE


def _intrinsics(k: Sequence[float], p: Sequence[float], *, rectified: bool,
                bent: bool) -> tuple[float, float, float, float]:
    """(fx, fy, cx, cy) in pixels, of the projection matrix where that describes the image, otherwise of `k`.

    bent : whether the lens distorts the image
    """
    own = tuple(float(k[i]) for i in (0, 4, 2, 5))
    projected = tuple(float(p[i]) for i in (0, 5, 2, 6)) if len(p) == 12 and p[0] else _PLACEHOLDERS[0]
    if projected not in _PLACEHOLDERS and (rectified or own in _PLACEHOLDERS):
        if bent:
            raise ValueError(f"the camera is not calibrated: its k is a placeholder with focal lengths of {own[0]:g}, "
                             f"and its p ({projected[0]:g}) is only of rectified images; set `rectified` if these are, "
                             "otherwise k must be filled in")
        own = projected
    elif own == _PLACEHOLDERS[1]:
        raise ValueError("the camera is not calibrated: its k is the identity, a placeholder; it must hold focal "
                         "lengths and principal point in pixels; the package camera_calibration finds them")
    fx, fy, cx, cy = own
    if not (fx > 0 and fy > 0 and np.isfinite(own).all()):
        raise ValueError(f"the camera is not calibrated: its focal lengths are {fx:g} and {fy:g}, "
                         "and they must be positive; the package camera_calibration finds them")
    return fx, fy, cx, cy


def _doubt(fx: float, fy: float, cx: float, cy: float, width: int, height: int) -> str:
    """What is implausible about these numbers, in pixels of a sensor of this size; empty for nothing."""
    side = max(width, height)
    least, most = (share * side for share in _FOCAL_LENGTHS)
    focal = least <= min(fx, fy) and max(fx, fy) <= most
    centre = cx and cy and -width <= cx <= 2 * width and -height <= cy <= 2 * height
    if focal and centre or not side:
        return ""
    return (f"the calibration is implausible, so that metres and directions are as well: focal lengths of {fx:g} and "
            f"{fy:g} and a principal point of ({cx:g}, {cy:g}) pixels do not fit an image of {width}x{height}; they "
            "should be near its width and near its middle")
