# SPDX-License-Identifier: Apache-2.0
"""The points of regions' visible surfaces, without the background and the faulty readings among them.

All regions of a picture are handled together, as arrays with one row per region: one by one, twenty of them take
seven times as long.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.regions import Region

SAMPLES = 256
"""Points of a region at most; they are spread evenly over a larger one."""

_MARGIN = 1.05
"""Share by which the samples of a region may be more than its area lets expect."""
_GOLDEN = 0.6180339887498949
"""Multiples of it, without their integer parts, spread evenly."""
_RIM = 0.04
"""Width of a region's edge as a share of the side of a square of its area, 1 to `_WIDEST_RIM` pixels."""
_WIDEST_RIM = 6
_KEPT_BY_EROSION = 0.5
_BIN = 0.02
"""Width of a bin of the depth histogram, as a share of the depth: about a sensor's noise at a few metres."""
_BINS = 401
_FILLED = 0.005
"""Share of the points from which on a bin belongs to a surface rather than to stray readings."""
_ALIKE = 0.05
"""Share of the depth by which the readings of neighbouring pixels of a surface differ at most."""
_ENOUGH = 0.05
"""Share of a region's inner points from which on a range of depths is of its object."""
_MOST_DEVIATIONS = 3.5
_SIGMA = 1.4826
"""Standard deviation of a normal distribution in units of its median absolute deviation."""
_HARMLESS = 0.01
"""Deviations below this share of the depth are no reason to drop a point."""
_MOST_OUTLIERS = 0.05
"""Share of the points from which on what is far from their plane is the shape of the object."""
_ROUNDS = 3
_FARTHEST = 1e4
"""Metres from which on a point is none."""
_FEWEST_FOR_A_PLANE = 8


@dataclass(frozen=True)
class Surfaces:
    """Measured points of n objects, at most k of each.

    points : (n, k, 3) float64, metres in the camera's optical frame (x right, y down, z forward)
    pixels : (n, k, 2) int64, column and row of each in the image
    kept : (n, k) bool, which of them are points of the surface; the values of the others mean nothing
    shift : (n, 2) float64, how far the centroid of the region's pixels is from that of those looked at, in pixels
    """

    points: np.ndarray
    pixels: np.ndarray
    kept: np.ndarray
    shift: np.ndarray

    def of(self, rows: np.ndarray) -> Surfaces:
        """Those of some of the objects."""
        return Surfaces(self.points[rows], self.pixels[rows], self.kept[rows], self.shift[rows])

    @property
    def centroids(self) -> np.ndarray:
        """(n, 3) float64 metres, the mean of each surface; every object must have a point.

        The mean of the points, moved by `shift` along the surface: a point for every pixel would give nearly the same.
        """
        pixels, points = masked_mean(self.pixels, self.kept), masked_mean(self.points, self.kept)
        offsets = ((self.pixels - pixels[:, None]) * self.kept[..., None]).transpose(0, 2, 1)
        spread = offsets @ offsets.transpose(0, 2, 1) + np.eye(2)
        slope = np.linalg.solve(spread, offsets @ (self.points - points[:, None]))
        return points + (self.shift[:, None] @ slope)[:, 0]


def visible_surfaces(regions: Sequence[Region], depth: np.ndarray, camera: Pinhole) -> Surfaces:
    """The points that the regions' pixels show; a row without any where no depth was measured.

    Only the inner pixels of a region decide which ranges of depth are the object's, because depth cameras mix
    foreground and background at the edge. Pixels at the edge count where they lie in those ranges; without them the
    mean of anything round would come too near. A few outliers by the median absolute deviation are dropped.

    Parameters
    ----------
    depth : (H, W) float32 metres in the image's size, NaN where it was not measured
    camera : that took the image

    Raises
    ------
    ValueError
        If the sizes differ.
    """
    if depth.shape != (camera.size[1], camera.size[0]):
        raise ValueError(f"the depth has the shape {depth.shape} and the camera {camera.size}; "
                         "they must be (height, width) and (width, height) of one image")
    pixels = np.zeros((len(regions), SAMPLES, 2), np.int64)
    inner = np.zeros((len(regions), SAMPLES), bool)
    seen = np.zeros((len(regions), SAMPLES), bool)
    for row, region in enumerate(regions):
        columns, rows, off_edge = _samples(region)
        pixels[row, :len(rows), 0], pixels[row, :len(rows), 1] = columns, rows
        inner[row, :len(rows)], seen[row, :len(rows)] = off_edge, True
    shift = np.array([region.centroid for region in regions]).reshape(-1, 2) - masked_mean(pixels, seen)
    columns, rows = pixels[..., 0], pixels[..., 1]
    places = rows * depth.shape[1] + columns
    z = depth.reshape(-1).take(places).astype(np.float64)
    rays = camera.rays.reshape(-1, 2).take(places, axis=0)
    kept = seen & ~np.isnan(z) & ~np.isnan(rays[..., 0])
    kept &= agrees(depth, places, z)
    z[~kept] = 1.0
    inner &= kept
    decisive = np.where(inner.any(axis=1, keepdims=True), inner, kept)
    kept = in_own_ranges(z, kept, decisive)
    kept = near_plane(columns, rows, z, kept)
    points = np.empty((*z.shape, 3))
    points[..., :2] = rays * z[..., None]
    points[..., 2] = z
    # A calibration that makes no sense leads anywhere, also to infinity.
    kept &= np.abs(points).max(axis=2) < _FARTHEST
    points[~kept] = 0.0
    return Surfaces(points, pixels, kept, shift)


def _samples(region: Region) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns and rows of at most `SAMPLES` pixels of the region, and whether each is off its edge."""
    x, y, width, height = region.roi
    rows, columns = _spread(region.area, height, width)
    inside = np.flatnonzero(region.mask[rows, columns])[:SAMPLES]
    rows, columns = rows[inside], columns[inside]
    return columns + x, rows + y, without_edge(region.mask)[rows, columns] != 0


def _spread(area: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of one pixel in each cell of a grid over a region's box, each at another place in its cell.

    In a regular grid the depths of a slanted surface would come in steps.
    """
    cell = _MARGIN * area / SAMPLES
    down = max(int(np.sqrt(cell)), 1)
    across = max(int(np.ceil(cell / down)), 1)
    down_index, across_index = np.arange(-(-height // down)), np.arange(-(-width // across))
    rows = (down_index * down)[:, None] + (np.mod(_GOLDEN * across_index, 1) * down).astype(np.int64)
    columns = across_index * across + (np.mod(_GOLDEN * down_index, 1) * across).astype(np.int64)[:, None]
    inside = (rows < height) & (columns < width)
    return rows[inside], columns[inside]


def agrees(depth: np.ndarray, places: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(n, k) bool: whether the depths z (n, k) at these places of the flat image are like those around them.

    At least two of the four neighbours, or all that were measured, are within 5 %. Stray readings and flying pixels
    between foreground and background are not.
    """
    height, width = depth.shape
    flat, row, column = depth.reshape(-1), places // width, places % width
    around = np.stack([flat.take(np.clip(row + down, 0, height - 1) * width + np.clip(column + right, 0, width - 1))
                       for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))])
    alike = (np.abs(around - z) <= _ALIKE * z).sum(axis=0)
    return alike >= np.minimum((~np.isnan(around)).sum(axis=0), 2)


def without_edge(mask: np.ndarray) -> np.ndarray:
    """(h, w) uint8: the mask without its edge, 4 % of its size wide, 1 to 6 pixels.

    Less is taken away, or nothing, where the mask would lose more than half of its pixels.
    """
    pixels = cv2.countNonZero(mask)
    for rim in range(int(np.clip(_RIM * np.sqrt(pixels), 1, _WIDEST_RIM)), 0, -1):
        square = np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)
        eroded = cv2.erode(mask, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        if cv2.countNonZero(eroded) >= _KEPT_BY_EROSION * pixels:
            return eroded
    return mask


def in_own_ranges(z: np.ndarray, kept: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(n, k) bool: the `kept` depths (n, k) in uninterrupted ranges that hold enough of the `inner` ones of their row.

    Enough are 5 %: a bed behind its footboard is a range of its own, and so is the seat behind a chair's leg. Bins are
    2 % of the depth wide; one with fewer than 0.5 % of the kept depths, or than two, is empty, and two empty ones are
    a gap. Without any range all are kept.
    """
    middle = masked_median(z, kept)[:, None]
    bins = np.clip(np.rint(np.log(z / middle) / _BIN), -(_BINS // 2), _BINS // 2).astype(np.int64) + _BINS // 2
    counts = _histogram(bins, kept)
    filled = counts >= np.maximum(_FILLED * counts.sum(axis=1, keepdims=True), 2)
    filled[:, 1:-1] |= filled[:, :-2] & filled[:, 2:]
    starts = filled.copy()
    starts[:, 1:] &= ~filled[:, :-1]
    runs = np.take_along_axis(np.cumsum(starts, axis=1) * filled, bins, axis=1)
    mass = _histogram(runs, inner)
    own = mass >= _ENOUGH * mass.sum(axis=1, keepdims=True)
    own[:, 0] = False
    in_range = kept & np.take_along_axis(own, runs, axis=1)
    return np.where(in_range.any(axis=1, keepdims=True), in_range, kept)


def _histogram(bins: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(n, `_BINS`) int64: how many of the counted ones (n, k) of each row are in each bin."""
    of_row = _BINS * np.arange(len(bins))[:, None]
    return np.bincount((bins + of_row)[counted], minlength=_BINS * len(bins)).reshape(len(bins), _BINS)


def near_plane(columns: np.ndarray, rows: np.ndarray, z: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(n, k) bool: which `kept` points lie within 3.5 robust standard deviations of the plane through most of them.

    The plane only takes the slant out, so that the deviations of a flat object are its noise; those of a box or a ball
    are its shape, and nothing of it is dropped. Planes are linear in the inverse depth.
    """
    enough = kept.sum(axis=1, keepdims=True) >= _FEWEST_FOR_A_PLANE
    middle = masked_median(z, kept)[:, None]
    terms = np.stack([columns, rows, np.ones_like(z)], axis=2)
    terms -= masked_mean(terms, kept)[:, None]
    terms /= 100.0
    terms[..., 2] = 1.0
    inverse = middle / z
    candidates = kept
    for _ in range(_ROUNDS):
        used = (terms * kept[..., None]).transpose(0, 2, 1)
        # A trace of ridge: the points of a line leave a plane's slant across it open.
        plane = np.linalg.solve(used @ terms + 1e-6 * np.eye(3), used @ inverse[..., None])
        deviation = np.abs(inverse - (terms @ plane)[..., 0]) * (z / middle) * z
        limit = np.maximum(_MOST_DEVIATIONS * _SIGMA * masked_median(deviation, kept)[:, None], _HARMLESS * middle)
        before, kept = kept, candidates & ((deviation <= limit) | ~enough)
        if (kept == before).all():
            break
    dropped = candidates.sum(axis=1) - kept.sum(axis=1)
    return np.where((dropped > _MOST_OUTLIERS * candidates.sum(axis=1))[:, None], candidates, kept)


def masked_median(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(n,) the median of the `kept` values (n, k) of each row, the lower one of two; 1 for a row without any."""
    count = kept.sum(axis=1)
    ordered = np.sort(np.where(kept, values, np.inf), axis=1)
    median = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[:, None], axis=1)[:, 0]
    return np.where(count > 0, median, 1.0)


def masked_mean(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(n, d) mean of the `kept` rows of (n, k, d), all of which must be finite."""
    weights = kept.astype(np.float64)
    # A product of matrices takes a fifth of the time of a sum.
    return (weights[:, None] @ values)[:, 0] / np.maximum(kept.sum(axis=1), 1)[:, None]
