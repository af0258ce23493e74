# SPDX-License-Identifier: Apache-2.0
"""Which of the things that a map shows are meant: those it is sure of, and no crumbs beside them."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipseg_ros.perception.cells import Cells
from clipseg_ros.perception.patches import Patches

PEAK = 1.25
"""Times the threshold that the score of a thing must reach: pixels belong to it from the threshold on, but one that
never gets higher is doubtful. At thresholds near 1 half of the way from there to 1 will do."""
OF_BEST = 0.8
"""Share of the best score of its prompt that a thing must reach."""
OF_LARGEST = 0.15
"""Share of the area of its prompt's largest thing that a thing must have."""
QUANTILE = 0.9
"""A thing's score is this quantile of its pixels' probabilities: the mean would favour crumbs, the peak noise."""


@dataclass(frozen=True)
class Limits:
    """What is too small or too much, as people set it.

    Attributes
    ----------
    min_area : pixels of the picture that an object must show
    max_area : pixels of the picture that it may show; 0 for any number
    max_regions : only so many of the best objects of a prompt are given; None means all
    min_size : metres that an object must measure, the side of a square of its visible area; 0 for any, and where depth
        or calibration are unknown
    """

    min_area: int = 1
    max_regions: int | None = None
    min_size: float = 0.0
    max_area: int = 0

    def too_large(self, pixels: np.ndarray) -> np.ndarray:
        """Whether things of so many pixels show more than they may."""
        return (pixels > self.max_area) & (self.max_area > 0)


@dataclass(frozen=True)
class Things:
    """t things: of which prompt each is, its score from 0 to 1, pixels of the picture, and square metres or NaN."""

    prompt: np.ndarray
    score: np.ndarray
    pixels: np.ndarray
    area: np.ndarray


def measured(cells: Cells, thing: np.ndarray, patches: Patches) -> Things:
    """What the things 0, 1, ... are that the cells (c,) belong to."""
    count = thing.max(initial=-1) + 1
    prompt = np.zeros(count, np.int64)
    prompt[thing] = cells.prompt
    pixels = np.bincount(thing, cells.pixels, count)
    area = np.full(count, np.nan)
    if patches.metres is not None:
        square = patches.metres[cells.patch] ** 2
        known = ~np.isnan(square)
        seen = np.bincount(thing[known], cells.pixels[known], count)
        metric = np.bincount(thing[known], (cells.pixels * square)[known], count)
        np.divide(metric * pixels, seen, out=area, where=seen > 0)
    score = grouped_quantile(cells.level, cells.pixels, thing, QUANTILE)
    return Things(prompt, score, pixels * patches.step ** 2, area)


def grouped_quantile(values: np.ndarray, weights: np.ndarray, group: np.ndarray, share: float) -> np.ndarray:
    """(g,) float64: in each group 0 to g - 1, the least of the values (c,) up to which `share` of the weight lies."""
    order = np.lexsort((values, group))
    total = np.bincount(group, weights)
    before = np.concatenate([[0.0], np.cumsum(total)[:-1]])
    reached = np.cumsum(weights[order]) - before[group[order]] >= share * total[group[order]] - 1e-9
    result = np.zeros(len(total))
    # Written from the largest value down, so that the least one that reaches the share stays.
    chosen = order[reached][::-1]
    result[group[chosen]] = values[chosen]
    return result


def chosen(things: Things, thresholds: np.ndarray, limits: Limits) -> np.ndarray:
    """(k,) int64: the things that are meant, best first within each prompt, of prompts with these thresholds (p,)."""
    needed = np.minimum(PEAK * thresholds, (1 + thresholds) / 2)
    prompt, score = things.prompt, things.score
    small = ~limits.too_large(things.pixels)
    best = np.zeros(len(thresholds))
    np.maximum.at(best, prompt[small], score[small])
    fit = small & (score >= np.maximum(needed, OF_BEST * best)[prompt]) & (things.pixels >= limits.min_area)
    fit &= ~(np.sqrt(things.area) < limits.min_size)
    fit &= _large_enough(things, fit, len(thresholds))
    order = np.flatnonzero(fit)
    order = order[np.lexsort((-score[order], prompt[order]))]
    if limits.max_regions is None:
        return order
    place = np.arange(len(order)) - np.searchsorted(prompt[order], prompt[order])
    return order[place < limits.max_regions]


def _large_enough(things: Things, fit: np.ndarray, prompts: int) -> np.ndarray:
    """(t,) bool: whether a thing is no crumb beside the largest of the `fit` ones of its prompt.

    In square metres where they are known of all of the prompt's, otherwise in pixels.
    """
    unknown = np.zeros(prompts, bool)
    unknown[things.prompt[fit & np.isnan(things.area)]] = True
    size = np.where(unknown[things.prompt], things.pixels, things.area)
    largest = np.zeros(prompts)
    np.maximum.at(largest, things.prompt[fit], size[fit])
    return size >= OF_LARGEST * largest[things.prompt]
