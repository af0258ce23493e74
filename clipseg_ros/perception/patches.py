# SPDX-License-Identifier: Apache-2.0
"""A picture in small patches of one surface each: their edges are those of things, and whole things are made of them.

Everything here depends on the picture and its depth alone, not on prompts, and is computed when it is first asked for.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np
from scipy import sparse

from clipseg_ros.perception.borders import Borders, find_borders
from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.merging import BIAS, merge
from clipseg_ros.perception.steps import CoarseDepth
from clipseg_ros.perception.supports import find_planes

PIXELS = 320 * 240
"""About so many pixels has the coarse grid on which patches are made."""
GRID = 16
"""Pixels of the coarse grid across a patch, at most."""
CONTRAST = 7
"""Levels of lightness or of one of the two colours, of 255, from which on neighbours are of different patches."""

_FEWEST = 4
"""Pixels from which on a spot between edges is the seed of a patch."""
_FOLD = np.float32(600)
"""Levels per 1/m of inverse depth in the picture that is flooded; they go up and down between 0 and 255."""
_UP_AND_DOWN = np.concatenate([np.arange(256), np.arange(256)[::-1]]).astype(np.uint8)
_NEVER = np.float32(1e9)
_NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0))


class Patches:
    """The patches of one picture.

    Parameters
    ----------
    rgb : (H, W, 3) uint8
    depth : (H, W) float32 metres, NaN where unknown; None without depth
    camera : that took the picture; without it nothing is known in metres but the distance from the camera

    Attributes
    ----------
    step : pixels of the picture across a pixel of the coarse grid
    size : (h, w) of the coarse grid, whose pixels cover all of the picture but less than `step` rows and columns

    Raises
    ------
    ValueError
        If the sizes of picture, depth and camera differ.
    """

    def __init__(self, rgb: np.ndarray, depth: np.ndarray | None = None, camera: Pinhole | None = None) -> None:
        height, width = rgb.shape[:2]
        if depth is not None and depth.shape != (height, width):
            raise ValueError(f"the depth has the shape {depth.shape} and the picture {(height, width)}; "
                             "they must be (height, width) of one image")
        if camera is not None and camera.size != (width, height):
            raise ValueError(f"the camera's images have the size {camera.size} and the picture {(width, height)}; "
                             "they must be (width, height) of one image")
        self.rgb, self._depth, self.camera = rgb, depth, camera
        self.step = max(1, round((height * width / PIXELS) ** 0.5))
        self.size = max(height // self.step, 1), max(width // self.step, 1)

    @cached_property
    def lab(self) -> np.ndarray:
        """(h, w, 3) uint8: lightness and two colours, 0 to 255 each."""
        return cv2.cvtColor(self.coarse(self.rgb), cv2.COLOR_RGB2LAB)

    @cached_property
    def depth(self) -> CoarseDepth | None:
        """Depth on the coarse grid; None without depth."""
        return None if self._depth is None else CoarseDepth.of(self._depth, self.step)

    @cached_property
    def labels(self) -> np.ndarray:
        """(h, w) int32: the patch of each pixel of the coarse grid, 0 to `len(self)` - 1."""
        edges = _edges(self.lab, self.depth)
        return flood(_flooded(self.lab, self.depth), _seeds(edges))

    def __len__(self) -> int:
        return len(self.area)

    @cached_property
    def area(self) -> np.ndarray:
        """(n,) float64: pixels of each patch on the coarse grid."""
        return np.bincount(self.labels.ravel()).astype(np.float64)

    @cached_property
    def borders(self) -> Borders:
        """Which patches are neighbours, and what lies between them."""
        return find_borders(self.labels, self.colour, self.depth)

    @cached_property
    def bodies(self) -> np.ndarray:
        """(n,) int64: the larger part of the picture that each patch is of, named by one of its patches."""
        apart = self.planes[self.borders.first] == self.planes[self.borders.second]
        return merge(len(self), self.borders.of(apart), BIAS)

    @cached_property
    def planes(self) -> np.ndarray:
        """(n,) int64: the large plane that each patch is of, 0, 1, ...; -1 for none, also without depth."""
        if self.depth is None:
            return np.full(len(self), -1)
        return find_planes(self.centres, self.inverse_depth, self.area, self.borders)

    def coarse(self, image: np.ndarray) -> np.ndarray:
        """(h, w, ...) of the same type: an image (H, W, ...) of the picture's size by means of `step` x `step`."""
        (height, width), step = self.size, self.step
        return cv2.resize(image[:height * step, :width * step], (width, height), interpolation=cv2.INTER_AREA)

    def means(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(n, k) float64: the mean of each of k images (h, w) float32 over each patch."""
        return self._members @ cv2.merge(images).reshape(self.labels.size, -1) / self.area[:, None]

    @property
    def colour(self) -> np.ndarray:
        """(n, 3) float64: mean lightness and colours. Distances of `borders.colour_distance` are between them."""
        return self._looks[:, :3]

    @property
    def centres(self) -> np.ndarray:
        """(n, 2) float64: mean column and row on the coarse grid."""
        return self._looks[:, 3:5]

    @property
    def inverse_depth(self) -> np.ndarray:
        """(n,) float64 in 1/m: the mean over the pixels where it is known; 0 for a patch without any."""
        return self._looks[:, 5]

    @cached_property
    def _looks(self) -> np.ndarray:
        """(n, 6) float64: mean colour, centre and inverse depth."""
        height, width = self.size
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        images = [*cv2.split(self.lab.astype(np.float32)), columns, rows]
        if self.depth is None:
            return np.column_stack([self.means(images), np.zeros(len(self))])
        means = self.means([*images, self.depth.inverse, self.depth.known.astype(np.float32)])
        means[:, 5] /= np.maximum(means[:, 6], 1e-9)
        return means[:, :6]

    @cached_property
    def points(self) -> np.ndarray | None:
        """(n, 3) float64 metres in the camera's optical frame: where each patch is, NaN where that is unknown.

        None without depth or camera.
        """
        if self.camera is None or self.depth is None:
            return None
        columns, rows = np.rint((self.centres + 0.5) * self.step - 0.5).astype(np.int64).T
        with np.errstate(divide="ignore"):
            z = np.where(self.inverse_depth > 0, 1 / self.inverse_depth, np.nan)
        return np.column_stack([self.camera.rays[rows, columns].astype(np.float64), np.ones(len(self))]) * z[:, None]

    @cached_property
    def metres(self) -> np.ndarray | None:
        """(n,) float64: side in metres of a pixel of the coarse grid, as if it faced the camera; NaN where unknown.

        None without depth or camera.
        """
        if self.points is None:
            return None
        return self.points[:, 2] * self.step / np.sqrt(self.camera.fx * self.camera.fy)

    @cached_property
    def _members(self) -> sparse.csr_matrix:
        """(n, h w) float32: 1 where a pixel is of a patch."""
        labels = self.labels.ravel()
        ones = np.ones(len(labels), np.float32)
        return sparse.csc_matrix((ones, labels, np.arange(len(labels) + 1)), (len(self), len(labels)))


def _edges(lab: np.ndarray, depth: CoarseDepth | None) -> np.ndarray:
    """(h, w) uint8: 1 at the pixels on both sides of a change of colour or a step of depth, and on a grid."""
    edges = np.zeros(lab.shape[:2], np.uint8)
    for rows in (False, True):
        one, other = (lab[:-1], lab[1:]) if rows else (lab[:, :-1], lab[:, 1:])
        if not one.size:
            continue
        lightness, first, second = cv2.split(cv2.absdiff(one, other))
        apart = cv2.max(cv2.max(lightness, first), second) > CONTRAST
        if depth is not None:
            apart |= (depth.down if rows else depth.across) > depth.least
        apart = apart.view(np.uint8)
        for side in ((edges[:-1], edges[1:]) if rows else (edges[:, :-1], edges[:, 1:])):
            np.bitwise_or(side, apart, out=side)
    edges[::GRID] = 1
    edges[:, ::GRID] = 1
    return edges


def _seeds(edges: np.ndarray) -> np.ndarray:
    """(h, w) int32: numbers from 1 of the spots between the edges, 0 on edges and in tiny spots."""
    _, spots = cv2.connectedComponentsWithAlgorithm(1 - edges, 4, cv2.CV_32S, cv2.CCL_GRANA)
    kept = np.bincount(spots.ravel()) >= _FEWEST
    kept[0] = False
    if not kept.any():
        return np.ones(edges.shape, np.int32)
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[spots]


def _flooded(lab: np.ndarray, depth: CoarseDepth | None) -> np.ndarray:
    """(h, w, 3) uint8: lightness, both colours in one, and inverse depth going up and down."""
    lightness, first, second = cv2.split(lab)
    colour = cv2.addWeighted(first, 0.87, second, 0.5, -47)
    if depth is None:
        return cv2.merge([lightness, colour, np.zeros_like(colour)])
    return cv2.merge([lightness, colour, _UP_AND_DOWN[(depth.inverse * _FOLD).astype(np.int32) & 511]])


def flood(image: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """(h, w) int32 from 0: each pixel gets the seed (h, w), numbered from 1, that reaches it first.

    A pixel where two meet goes to the neighbour that it looks most like. `image` (h, w, 3) uint8.
    """
    padded = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    labels = cv2.watershed(padded, cv2.copyMakeBorder(seeds, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0))
    flat, width = labels.ravel(), labels.shape[1]
    # One number a pixel, in which the three hardly ever cancel out.
    look = cv2.transform(padded.astype(np.float32), np.float32([[1, 2, 1.5]])).ravel()
    while len(meeting := np.flatnonzero(_inner(labels) < 1)):
        # Positions in the padded image, whose rim the watershed leaves without a label.
        meeting = (meeting // (width - 2) + 1) * width + meeting % (width - 2) + 1
        around = meeting + np.array([[down * width + right] for down, right in _NEIGHBOURS])
        names = flat[around]
        unlike = np.where(names < 1, _NEVER, np.abs(look[around] - look[meeting]))
        flat[meeting] = np.take_along_axis(names, unlike.argmin(axis=0)[None], axis=0)[0]
    return np.ascontiguousarray(_inner(labels)) - 1


def _inner(labels: np.ndarray) -> np.ndarray:
    return labels[1:-1, 1:-1]
