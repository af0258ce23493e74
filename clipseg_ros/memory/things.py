# SPDX-License-Identifier: Apache-2.0
"""Sightings of one prompt in several keyframes, joined where they are of the same thing in the fixed frame."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from clipseg_ros.memory.keyframe import Keyframe
from clipseg_ros.perception.found import FoundObject

POINTS = 64
"""Points of a sighting, at most, by which it is compared."""
MOST_POINTS = 512
"""Points of a thing, at most."""
_NEAR, _NEAR_SHARE = 0.03, 0.06
"""Points of two sightings are of one place within these metres, or this share of the smaller one's diagonal."""
_SAME = 0.5
"""Share of one's points that must be where the other's are, for two sightings to be of one thing."""
_MANY, _ENOUGH = 4, 0.15
"""From so many views on, a place that fewer than this share of them show is not of the thing: they took two for one."""
_TOGETHER = 0.3
"""Share of the views of one thing in which another one was seen beside it, from where on they seem to be two."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """An object that was found in a keyframe; `points` (n, 3) metres in the fixed frame, up to `POINTS`."""

    found: FoundObject
    frame: Keyframe
    points: np.ndarray

    @classmethod
    def of(cls, found: FoundObject, frame: Keyframe) -> Sighting:
        """The sighting of an object that was found in the frame's small picture, in the camera's optical frame."""
        points = found.location.points
        step = max(len(points) / POINTS, 1.0)
        some = points[(np.arange(min(len(points), POINTS)) * step).astype(int)]
        return cls(found.seen_from(frame.pose), frame, frame.pose.apply(some))

    @property
    def quality(self) -> float:
        """How good a view of the thing it is: sure, large and whole."""
        x, y, width, height = self.found.region.roi
        rows, columns = self.frame.size
        cut = x <= 1 or y <= 1 or x + width >= columns - 1 or y + height >= rows - 1
        return self.found.region.score * self.found.region.area ** 0.25 * (0.5 if cut else 1.0)


@dataclass(eq=False)
class Thing:
    """Sightings of one thing."""

    sightings: list[Sighting] = field(default_factory=list)

    @cached_property
    def best(self) -> Sighting:
        """The best view of it: one that took a neighbour for a part of it is none."""
        if len(self.sightings) == 1:
            return self.sightings[0]
        return max(self.sightings, key=lambda one: one.quality * self._share_of(one) ** 2)

    @property
    def frames(self) -> set[int]:
        """The numbers of the keyframes that show it."""
        return {one.frame.number for one in self.sightings}

    @property
    def first(self) -> float:
        """When it was seen first."""
        return min(one.frame.stamp for one in self.sightings)

    @property
    def last(self) -> float:
        """When it was seen last."""
        return max(one.frame.stamp for one in self.sightings)

    @cached_property
    def points(self) -> np.ndarray:
        """(n, 3) metres in the fixed frame, of all views; of many, those where enough of them saw the thing."""
        points = np.concatenate([one.points for one in self.sightings])
        if len(self.sightings) >= _MANY:
            view = np.repeat(np.arange(len(self.sightings)), [len(one.points) for one in self.sightings])
            cells = (points - points.min(axis=0)) // (2 * _near(float(np.linalg.norm(np.ptp(points, axis=0)))))
            across, along = cells.max(axis=0)[1:] + 1
            _, place = np.unique((cells[:, 0] * across + cells[:, 1]) * along + cells[:, 2], return_inverse=True)
            counts = np.bincount(np.unique(place * len(self.sightings) + view) // len(self.sightings))
            points = points[counts[place] >= min(max(2, _ENOUGH * len(self.sightings)), counts.max())]
        return points[np.random.default_rng(0).permutation(len(points))[:MOST_POINTS]]

    @cached_property
    def tree(self) -> cKDTree:
        """Finds the nearest of the points."""
        return cKDTree(self.points)

    @cached_property
    def box(self) -> np.ndarray:
        """(2, 3) lowest and highest coordinates."""
        return np.stack([self.points.min(axis=0), self.points.max(axis=0)])

    @cached_property
    def near(self) -> float:
        """Metres within which points are of one place."""
        return _near(float(np.linalg.norm(np.ptp(self.box, axis=0))))

    def joined(self, other: Thing) -> Thing:
        """Both as one."""
        return Thing(self.sightings + other.sightings)

    def overlap(self, other: Thing) -> tuple[float, float]:
        """Shares of this one's points that are where the other's are, and of the other's."""
        near = min(self.near, other.near)
        if (self.box[0] > other.box[1] + near).any() or (other.box[0] > self.box[1] + near).any():
            return 0.0, 0.0
        return _share(self.points, other.tree, near), _share(other.points, self.tree, near)

    def covers(self, other: Thing) -> int:
        """How many of the sightings show the place of another thing."""
        return sum(_share(other.points, cKDTree(one.points), 2 * other.near) >= _SAME for one in self.sightings)

    def _share_of(self, one: Sighting) -> float:
        return _share(one.points, self.tree, self.near)


def _share(points: np.ndarray, tree: cKDTree, near: float) -> float:
    """Share of the points that have one of the tree's near."""
    return float(np.isfinite(tree.query(points, distance_upper_bound=near)[0]).mean())


def _near(diagonal: float) -> float:
    """Metres within which points are of one place, on things of this diagonal."""
    return max(_NEAR, _NEAR_SHARE * diagonal)


def join(sightings: Iterable[Sighting]) -> list[Thing]:
    """The things that the sightings, all of one prompt and with points, are of."""
    things: list[Thing] = []
    for one in sorted(sightings, key=lambda one: -one.quality):
        new = Thing([one])
        shares = [(thing.overlap(new), index) for index, thing in enumerate(things)
                  if one.frame.number not in thing.frames]
        fits = [(sum(both), index) for both, index in shares if max(both) >= _SAME]
        if fits:
            index = max(fits)[1]
            things[index] = things[index].joined(new)
        else:
            things.append(new)
    return _merged(things)


def _merged(things: list[Thing]) -> list[Thing]:
    """Things that turned out to be one when all of their views were known."""
    merged = True
    while merged:
        merged = False
        things.sort(key=lambda one: -len(one.sightings))
        for index, thing in enumerate(things):
            other = next((other for other in things[index + 1:] if _are_one(thing, other)), None)
            if other is not None:
                things = [one for one in things if one is not thing and one is not other] + [thing.joined(other)]
                merged = True
                break
    return things


def _are_one(thing: Thing, other: Thing) -> bool:
    """Whether one is where the other is; where they were seen beside each other, most views must say that."""
    if max(thing.overlap(other)) < _SAME:
        return False
    small, large = sorted((thing, other), key=lambda one: len(one.sightings))
    beside = len(small.frames & large.frames)
    return beside < _TOGETHER * len(small.frames) or large.covers(small) >= len(small.sightings)


@dataclass(frozen=True, eq=False)
class RecalledObject:
    """A thing that a prompt means, out of memory.

    Attributes
    ----------
    prompt, prompt_index : what was asked
    score : how sure it is that the thing is meant, 0 to 1: what the network says of its place in all views of that
    found : in the best view's small picture; its pose is in the fixed frame, None without depth
    view : the keyframe with the best view
    bearing : (3,) unit vector from `view.pose.translation` to it in the fixed frame; None without calibration
    points : (n, 3) metres in the fixed frame, of all views; none without depth
    views : how many keyframes show it
    first_seen, last_seen : stamps of the first and the last of these, in seconds
    """

    prompt: str
    prompt_index: int
    score: float
    found: FoundObject
    view: Keyframe
    bearing: np.ndarray | None
    points: np.ndarray
    views: int
    first_seen: float
    last_seen: float

    @classmethod
    def of(cls, thing: Thing, score: float) -> RecalledObject:
        """A thing as it is told."""
        best = thing.best
        seen = best.found.location.bearing
        return cls(best.found.prompt, best.found.prompt_index, score, best.found, best.frame,
                   None if seen is None else best.frame.pose.matrix @ seen, thing.points, len(thing.frames),
                   thing.first, thing.last)


def best_first(objects: Sequence[RecalledObject]) -> list[RecalledObject]:
    """Those of the first prompt first, within a prompt those with a place first, the highest score first."""
    return sorted(objects, key=lambda one: (one.prompt_index, one.found.pose is None, -one.score))
