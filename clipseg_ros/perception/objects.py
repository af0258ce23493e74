# SPDX-License-Identifier: Apache-2.0
"""The objects of a frame: each thing that a prompt means once, whole, with its own edge."""
from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.cells import Cells, cut, joined
from clipseg_ros.perception.levels import refined_levels
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.masks import to_mask
from clipseg_ros.perception.patches import Patches
from clipseg_ros.perception.refining import fine, with_masks
from clipseg_ros.perception.regions import Region, region_of
from clipseg_ros.perception.selection import Limits, Things, chosen, measured
from clipseg_ros.perception.supports import keeps_clear

MODES = ("none", "edges", "objects")
"""What refined maps are: the network's own; with the edges of the picture; nothing but the objects."""
BELONGS = 0.8
"""Share of its threshold from which on a pixel belongs to a prompt's object, once it has the picture's edges."""


class Objects:
    """What the prompts of one frame mean. Everything is computed when it is first asked for.

    Parameters
    ----------
    maps : what the network says of the picture
    patches : of the picture; one for all maps of a frame, as they do not depend on prompts
    limits : what is too small or too much
    """

    def __init__(self, maps: Maps, patches: Patches, limits: Limits = Limits()) -> None:
        self._maps, self._patches, self._limits = maps, patches, limits

    def refined(self, mode: str) -> Maps:
        """The maps in one of `MODES`, on the scale and with the thresholds of the given ones.

        Raises
        ------
        ValueError
            If the mode is unknown.
        """
        if mode not in MODES:
            raise ValueError(f"the maps are to be refined by {mode!r}; it must be one of {', '.join(MODES)}")
        if mode == "none" or not len(self._maps):
            return self._maps
        return self._with_edges if mode == "edges" else self._of_objects

    @cached_property
    def regions(self) -> list[list[Region]]:
        """The objects of each prompt, best first."""
        found: list[list[Region]] = [[] for _ in self._maps.thresholds]
        if not len(self._maps):
            return found
        cells, thing, things, inside = self._things
        for one in chosen(things, self._thresholds, self._limits).tolist():
            prompt, mine = int(things.prompt[one]), np.zeros(len(self._patches), np.uint8)
            mine[cells.patch[thing == one]] = 255
            mask = mine.take(self._patches.labels) & to_mask(inside[prompt])
            region = region_of(*self._in_picture(mask), float(things.score[one]))
            if region is not None and region.area >= self._limits.min_area and not self._limits.too_large(region.area):
                found[prompt].append(region)
        return found

    @cached_property
    def _thresholds(self) -> np.ndarray:
        """(p,) float64, 0 to 1."""
        return np.array(self._maps.thresholds, np.float64) / self._maps.full_scale

    @cached_property
    def _levels(self) -> np.ndarray:
        """(p, h, w) float32 probabilities on the coarse grid, with the edges of the picture."""
        return refined_levels(self._maps, self._patches)

    @cached_property
    def _things(self) -> tuple[Cells, np.ndarray, Things, np.ndarray]:
        """The cells, the thing (c,) of each, the things, and (p, h, w) bool: where a prompt covers the grid."""
        patches = self._patches
        least = (BELONGS * self._thresholds).astype(np.float32)
        inside = self._levels >= least[:, None, None]
        cells = Cells.covered(self._levels, inside, patches.labels, len(patches))
        clear = keeps_clear(patches.planes, patches.area, cells.spread(cells.pixels, len(patches), 0),
                            cells.spread(cells.level, len(patches), 0))
        cells = cells.of(clear[cells.prompt, cells.patch])
        thing = joined(cells, cut(cells, patches), patches)
        return cells, thing, measured(cells, thing, patches), inside

    def _in_picture(self, mask: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        """A mask (h, w) uint8 of 0 and 255 on the coarse grid in the picture's size: a part of it around the pixels
        that are not 0, and the (x, y) of its upper left one."""
        (height, width), step = self._patches.rgb.shape[:2], self._patches.step
        left, top, across, down = cv2.boundingRect(mask)
        left, top, right, bottom = max(left - 1, 0), max(top - 1, 0), left + across + 1, top + down + 1
        part = fine(mask[top:bottom, left:right], step)
        # Where the picture ends between two pixels of the coarse grid, the rest belongs to the last one.
        ends = [length % step if at >= count else 0
                for length, at, count in ((height, bottom, mask.shape[0]), (width, right, mask.shape[1]))]
        part = cv2.copyMakeBorder(part, 0, ends[0], 0, ends[1], cv2.BORDER_REPLICATE)
        return cv2.threshold(part, 127, 255, cv2.THRESH_BINARY)[1], (left * step, top * step)

    @cached_property
    def _with_edges(self) -> Maps:
        return with_masks(self._maps, self._levels, self._patches.step, None)

    @cached_property
    def _of_objects(self) -> Maps:
        return with_masks(self._maps, self._levels, self._patches.step, self.regions)


def find_objects(maps: Maps, rgb: np.ndarray, depth: np.ndarray | None = None, camera: Pinhole | None = None, *,
                 limits: Limits = Limits()) -> Objects:
    """The objects of one picture, where nobody else needs its `Patches`, which say what the arguments are."""
    return Objects(maps, Patches(rgb, depth, camera), limits)
