# SPDX-License-Identifier: Apache-2.0
"""A prompt over all keyframes, in steps between which other work can be done."""
from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

import cv2
import numpy as np

from clipseg_ros.memory.keyframe import Keyframe
from clipseg_ros.memory.looks import Look, Viewer, looks_at
from clipseg_ros.memory.things import RecalledObject, Sighting, Thing, best_first, join
from clipseg_ros.perception.found import locate_objects
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.masks import to_mask
from clipseg_ros.perception.objects import Objects
from clipseg_ros.perception.patches import Patches
from clipseg_ros.perception.regions import Region, region_of
from clipseg_ros.perception.selection import Limits

BATCH = 8
"""Keyframes of a step."""
LIMITS = Limits(min_area=16, max_regions=20)
"""Of objects in the small pictures."""
FOUND, VIEWS = 0.4, 3
"""Share of the views of its place, and how many of them, in which a thing must have been found; of few views fewer."""
FOUND_SINCE, VIEWS_SINCE = 0.7, 4
"""The same since it was found first: that was not there before may be new."""
LEAST, PEAK = 0.9, 1.6
"""Times the prompt's threshold that a thing's score, and its surest view, must reach."""
_PIECE = 0.1
"""Share of an object's largest connected part that another one must have, to be no crumb."""
_SHRUNK = 2
"""The maps that are kept for a second look have 1 / this of the small pictures' sides."""
_NEWEST = 3
"""Of the later views of a place, so many of the newest decide whether it is empty; to see something else, so many."""
_GOOD, _OTHER, _EMPTY = 0.3, 0.2, 0.9
"""Share of the best view's weight that views of an empty place must have together, of the threshold below which they
show something else, and of a place through which they see where it is empty."""


class Decoder(Protocol):
    """What decodes the features; a Segmenter."""

    def maps_of(self, features: Sequence[np.ndarray], prompts: Sequence, thresholds: Sequence[float], *,
                sizes: Sequence[tuple[int, int]]) -> list[Maps]:
        """The maps (n, H, W) of kept features."""


class Recall:
    """The answer of a memory to prompts, from the newest keyframe back.

    `while recall.step(): ...` leaves the processor to others between batches; `objects` can be asked for at any time.

    Parameters
    ----------
    decoder : the network that made the keyframes
    frames : all that are searched
    prompts, labels, thresholds : what is looked for, its names, and from where on a pixel is meant

    Attributes
    ----------
    searched, total : how many keyframes were decoded, of how many
    """

    def __init__(self, decoder: Decoder, frames: Sequence[Keyframe], prompts: Sequence, labels: Sequence[str],
                 thresholds: Sequence[float]) -> None:
        self._decoder, self._prompts, self._labels = decoder, prompts, labels
        self._thresholds = tuple(thresholds)
        self._waiting = sorted(frames, key=lambda frame: frame.stamp)
        self._viewers: list[Viewer] = []
        self._sightings: list[Sighting] = []
        self.searched, self.total = 0, len(self._waiting)

    def step(self) -> bool:
        """Search a batch of keyframes; returns whether there are more."""
        batch = [self._waiting.pop() for _ in range(min(BATCH, len(self._waiting)))]
        found = self._decoder.maps_of([frame.features for frame in batch], self._prompts, self._thresholds,
                                      sizes=[frame.size for frame in batch])
        for frame, maps in zip(batch, found, strict=True):
            self._viewers.append(Viewer(frame, _shrunk(maps)))
            self._sightings += self._seen(frame, maps)
        self.searched += len(batch)
        return bool(self._waiting)

    def run(self, seconds: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> Recall:
        """Search until there is nothing more, or the time is up; at least one batch. Returns itself."""
        end = None if seconds is None else clock() + seconds
        while self.step() and (end is None or clock() < end):
            pass
        return self

    @property
    def objects(self) -> list[RecalledObject]:
        """The things that were found so far, each once: those of the first prompt first, the best first within it.

        What later keyframes see through, or see as something else, is not there any more. Objects without depth are
        told view by view: they have a bearing alone, by which they cannot be joined.
        """
        objects = []
        for index, threshold in enumerate(self._thresholds):
            mine = [one for one in self._sightings if one.found.prompt_index == index]
            placed = [one for one in mine if len(one.points) and not self._is_gone(one)]
            things = [(thing, self._score(thing, threshold)) for thing in join(placed)]
            objects += [RecalledObject.of(thing, score) for thing, score in things if score > 0]
            objects += [RecalledObject.of(Thing([one]), one.found.region.score) for one in mine if not len(one.points)]
        return best_first(objects)

    def _seen(self, frame: Keyframe, maps: Maps) -> list[Sighting]:
        if not any(score >= threshold for score, threshold in zip(maps.scores, maps.thresholds)):
            return []
        metres = frame.metres
        found = Objects(maps, Patches(frame.rgb, metres, frame.view), LIMITS).regions
        regions = [[piece for region in some for piece in _pieces(region)] for some in found]
        return [Sighting.of(one, frame) for one in locate_objects(regions, self._labels, frame.view, metres)]

    def _is_gone(self, one: Sighting) -> bool:
        """Whether most of the newest later views of its place see through it."""
        later = (viewer for viewer in self._viewers if viewer.frame.stamp > one.frame.stamp)
        looks = list(islice(looks_at(one.points, later, one.found.prompt_index), _NEWEST))
        return bool(looks) and float(np.median([look.through for look in looks])) > 0.5

    def _score(self, thing: Thing, threshold: float) -> float:
        """The mean level of its place in all views since it is there, near ones counting more; 0 for what is none.

        That is what was found in too few of these views, nowhere surely, or in none of the newest.
        """
        every = list(looks_at(thing.points, self._viewers, thing.best.found.prompt_index))
        looks = [look for look in every if look.through <= 0.5]  # when something was there
        since = [look for look in looks if look.stamp >= thing.first]
        if len(thing.frames) >= VIEWS_SINCE and _found(thing, since) >= FOUND_SINCE:
            looks = since
        surely = max(one.found.region.score for one in thing.sightings) >= min(PEAK * threshold, (1 + threshold) / 2)
        enough = min(VIEWS, max(len(looks) - 1, 1))
        if not surely or len(thing.frames) < enough or _found(thing, looks) < FOUND:
            return 0.0
        if _is_replaced(thing, every, threshold):
            return 0.0
        score = float(np.average([look.level for look in looks], weights=[look.weight for look in looks]))
        return score if score >= LEAST * threshold else 0.0


def _found(thing: Thing, looks: Sequence[Look]) -> float:
    """In which share of the views a thing was found, near ones counting more."""
    total = sum(look.weight for look in looks)
    return sum(look.weight for look in looks if look.frame in thing.frames) / total if total else 0.0


def _is_replaced(thing: Thing, looks: Sequence[Look], threshold: float) -> bool:
    """Whether the views since the thing was seen last show nothing or something else there.

    What is there may be overlooked, so several are needed that are together as good as the best one; but one good view
    that sees through all of the place is enough.
    """
    best = max(look.weight for look in looks)
    later = [look for look in looks if look.stamp > thing.last]
    weights = [look.weight for look in later]
    if not later or sum(weights) < _GOOD * best:
        return False
    if all(look.through >= _EMPTY for look in later):
        return True
    level = np.average([look.level * (1 - look.through) for look in later], weights=weights)
    return len(later) >= _NEWEST and sum(weights) >= best and float(level) < _OTHER * threshold


def _pieces(region: Region) -> list[Region]:
    """The connected parts of an object, without crumbs: whether they are one thing, more views know better."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(region.mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    large = 1 + np.flatnonzero(areas >= max(LIMITS.min_area, _PIECE * areas.max()))
    if count == 2 or len(large) == 0:
        return [region]
    return [region_of(to_mask(labels == label), region.roi[:2], region.score) for label in large]


def _shrunk(maps: Maps) -> np.ndarray:
    """(n, h, w) uint8: the maps at half of their size."""
    height, width = (max(side // _SHRUNK, 1) for side in maps.size)
    return np.stack([cv2.convertScaleAbs(cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA), alpha=255)
                     for one in maps.probabilities])
