# SPDX-License-Identifier: Apache-2.0
"""Which patches touch, along how many pixels, and how much depth and colour change there."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from clipseg_ros.perception.steps import CoarseDepth

UNKNOWN_STEP = 0.02
"""Metres that are assumed where depth is unknown: only very different colours are cut then."""
MOST = 1.0
"""Metres from which on one step is like another."""


@dataclass(frozen=True)
class Borders:
    """m pairs of patches that touch.

    Attributes
    ----------
    first, second : (m,) int64, the patches, `first` < `second`
    length : (m,) float64, pairs of neighbouring pixels on their border
    step : (m,) float64, mean step of depth there in metres, at most `MOST`, without what slant explains
    colour : (m,) float64, `colour_distance` of their mean colours
    open : (m,) float64, share of the border without a step of depth that is more than noise; 1 without depth
    """

    first: np.ndarray
    second: np.ndarray
    length: np.ndarray
    step: np.ndarray
    colour: np.ndarray
    open: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def of(self, chosen: np.ndarray) -> Borders:
        """Some of the borders."""
        return Borders(self.first[chosen], self.second[chosen], self.length[chosen], self.step[chosen],
                       self.colour[chosen], self.open[chosen])


def find_borders(labels: np.ndarray, colours: np.ndarray, depth: CoarseDepth | None) -> Borders:
    """The borders of patches (h, w) int32, 0 to n - 1, whose mean colours (n, 3) are known."""
    links = [_links(labels, depth, rows=rows) for rows in (False, True)]
    ends = np.concatenate([pair for pair, _ in links], axis=1)
    count = len(colours)
    sums = [sparse.coo_matrix((values, ends), (count, count)).tocsr()
            for values in (np.ones(ends.shape[1]), *np.concatenate([values for _, values in links], axis=1))]
    pattern = sums[0].tocoo()
    first, second, length = pattern.row.astype(np.int64), pattern.col.astype(np.int64), pattern.data
    return Borders(first, second, length, sums[1].data / length,
                   colour_distance(colours[first], colours[second]), sums[2].data / length)


def colour_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(...) distance of colours (..., 3), lightness and two colours: light and shade count half."""
    return np.sqrt(((one - other) ** 2) @ np.array([0.25, 1.0, 1.0]))


def _links(labels: np.ndarray, depth: CoarseDepth | None, *, rows: bool) -> tuple[np.ndarray, np.ndarray]:
    """(2, k) patches, the smaller number first, and (2, k) step in metres and openness, of pixels that are neighbours
    in a row or, with `rows`, in a column, and in different patches."""
    one, other = (labels[:-1], labels[1:]) if rows else (labels[:, :-1], labels[:, 1:])
    links = np.flatnonzero(one != other)
    width = labels.shape[1]
    here = links if rows else links + links // (width - 1)
    there = here + (width if rows else 1)
    ends = labels.ravel()[here], labels.ravel()[there]
    pair = np.stack([np.minimum(*ends), np.maximum(*ends)])
    metres, is_open = np.full(len(links), UNKNOWN_STEP), np.ones(len(links))
    if depth is not None:
        jump = (depth.down if rows else depth.across).ravel()[links]
        product = depth.inverse.ravel()[here] * depth.inverse.ravel()[there]
        np.divide(jump, product, out=metres, where=product > 0)
        is_open = jump <= depth.least
    return pair, np.stack([np.minimum(metres, MOST), is_open])
