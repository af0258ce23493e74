# SPDX-License-Identifier: Apache-2.0
"""What keyframes say of a place: whether they looked at it, saw through it, and what the network said of it there."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from clipseg_ros.memory.keyframe import Keyframe

LOOKED = 0.15
"""Share of a place's points that a keyframe must see, or see through, to have looked at it."""
_TOLERANCE, _PER_METRE = 0.02, 0.015
"""Metres, and metres per metre of distance, by which a surface may be off and still be at the place."""


@dataclass(frozen=True)
class Look:
    """One keyframe's view of a place.

    Attributes
    ----------
    frame : the keyframe's number
    stamp : of the keyframe, in seconds
    seen : how many of the place's points it sees, or sees through
    through : share of those behind which it sees something farther, so that nothing is there
    level : mean probability of the points that it sees, 0 to 1; 0 where it sees none
    distance : of the place from the camera, in metres
    """

    frame: int
    stamp: float
    seen: int
    through: float
    level: float
    distance: float

    @property
    def weight(self) -> float:
        """How much of the place it shows, and how large, as a measure of how good it is."""
        return self.seen / max(self.distance, 0.1) ** 2


class Viewer:
    """A keyframe, and the network's maps of it, ready to look at places."""

    def __init__(self, frame: Keyframe, maps: np.ndarray) -> None:
        self.frame, self._maps = frame, maps
        self._metres = frame.metres
        self._from_fixed = frame.pose.inverse()

    def look(self, points: np.ndarray, prompt: int) -> Look | None:
        """The keyframe's view of a place, points (n, 3) metres in the fixed frame; None where it did not look there."""
        if self._metres is None or self.frame.view is None:
            return None
        local = self._from_fixed.apply(points)
        pixels = self.frame.view.project(local)
        height, width = self.frame.size
        with np.errstate(invalid="ignore"):
            inside = ((pixels >= 0) & (pixels <= [width - 1, height - 1])).all(axis=1)
        columns, rows = np.rint(pixels[inside]).astype(int).T
        expected, measured = local[inside, 2], self._metres[rows, columns]
        slack = _TOLERANCE + _PER_METRE * expected
        with np.errstate(invalid="ignore"):
            through, there = measured > expected + slack, np.abs(measured - expected) <= slack
        seen = int(through.sum() + there.sum())
        if seen < max(LOOKED * len(points), 1):
            return None
        maps = self._maps[prompt]
        small = (rows[there] * maps.shape[0] // height, columns[there] * maps.shape[1] // width)
        level = float(maps[small].mean()) / 255 if there.any() else 0.0
        distance = float(np.linalg.norm(local.mean(axis=0)))
        return Look(self.frame.number, self.frame.stamp, seen, float(through.sum() / seen), level, distance)


def looks_at(points: np.ndarray, viewers: Iterable[Viewer], prompt: int) -> Iterator[Look]:
    """The views of a place by those of the `viewers` that looked there, in their order."""
    looks = (viewer.look(points, prompt) for viewer in viewers)
    return (look for look in looks if look is not None)
