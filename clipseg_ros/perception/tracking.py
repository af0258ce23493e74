# SPDX-License-Identifier: Apache-2.0
"""The same number for the same object, from one frame of a camera to the next."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linear_sum_assignment

MOST_TRACKS = 512
"""Of more objects than this, those seen longest ago are forgotten, and further new ones get no number."""
LEAST_OVERLAP = 0.2
"""Masks may be of the same object from this intersection over union; a smaller one counts as none."""
NEAR = 0.15
"""Metres within which positions may be of the same object, whatever the overlap."""
DRIFT = 0.15
"""Metres per second by which `NEAR` grows, up to `FAR`, while an object is not seen."""
FAR = 0.5
"""Metres beyond which positions are of different objects, whatever the overlap."""

_HALF = 0.075
"""Metres of distance that cost as much as an overlap of one half."""
_BY_DISTANCE = 0.75
"""Share of the distance in the cost, so that one object of several that moved together in the image is still itself."""
_UNMATCHED = 1.0
"""Cost of leaving a pair apart, more than any pair that may match."""
_ROUNDING = 1e-6
"""Seconds by which the difference of two stamps in float64 may be off."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """One region of one frame.

    Attributes
    ----------
    prompt : what was looked for; only sightings of equal prompts are compared
    roi : (x, y, width, height), the box of the mask in the image, in pixels
    mask : (height, width) uint8, 255 inside the region and 0 elsewhere in the box
    position : (3,) metres, in one frame for all sightings that a tracker gets, best one that does not move with the
        camera; None where it is not known

    Raises
    ------
    ValueError
        If the mask does not have the size of the box, or the position is not three finite numbers.
    """

    prompt: str
    roi: tuple[int, int, int, int]
    mask: np.ndarray
    position: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.mask.shape != (self.roi[3], self.roi[2]):
            raise ValueError(f"the mask has the shape {self.mask.shape}; that of the roi is "
                             f"{(self.roi[3], self.roi[2])} (height, width)")
        if self.position is not None and (np.shape(self.position) != (3,) or not np.isfinite(self.position).all()):
            raise ValueError(f"the position is {self.position}; it must be three finite numbers, or None")

    @cached_property
    def area(self) -> int:
        """Number of the region's pixels. Computed once."""
        return int(np.count_nonzero(self.mask))


@dataclass(eq=False)
class _Track:
    """An object: when and how it was seen last, in how many frames, and its number, 0 before it has one."""

    sighting: Sighting
    stamp: float
    frames: int = 0
    number: int = 0


class Tracker:
    """Numbers the objects of one camera; for one thread.

    A sighting may be of a known object of its prompt if their masks overlap by `LEAST_OVERLAP` or their positions are
    within `NEAR` + `DRIFT` x the seconds since the object was seen; never if their positions are more than `FAR` apart.
    The object's last sighting counts. Where one of the two has no position, the overlap alone decides.

    A pair costs 1 - overlap (intersection over union of the masks). Where both positions are known, it costs
    0.75 d / (d + 0.075 m) + 0.25 (1 - overlap) for a distance d, so an object is found again by where it is even
    if it appears in the image where another one was. All pairs of a prompt are chosen at once for the least sum, in
    which leaving a pair apart costs 1: objects that stay where they are are not renumbered in a chain because one
    at their side went and another came.

    Parameters
    ----------
    memory : seconds after its last sighting for which an object keeps its number, above 0; longer than the time between
        two frames, otherwise every frame has new objects
    births : in so many frames, at least 1, an object must have been seen before it gets a number

    Attributes
    ----------
    born : how many objects got a number
    died : how many of those were forgotten; the others are `alive`

    Raises
    ------
    ValueError
        If `memory` is not a positive finite number, or `births` is less than 1.
    """

    def __init__(self, *, memory: float = 1.0, births: int = 1) -> None:
        if not (math.isfinite(memory) and memory > 0):
            raise ValueError(f"the memory of the tracker is {memory} s; it must be positive and finite")
        if births < 1:
            raise ValueError(f"the tracker is told to wait for {births} frames; it must be at least 1")
        self.born = 0
        self.died = 0
        self._memory = float(memory)
        self._births = int(births)
        self._tracks: list[_Track] = []
        self._newest = -math.inf

    @property
    def alive(self) -> set[int]:
        """The numbers that may come again: those of the last frame and of the objects that are remembered."""
        return {track.number for track in self._tracks if track.number}

    def reset(self) -> None:
        """Forget all objects. Their numbers are not given again."""
        self._replace([])

    def update(self, stamp: float, sightings: Sequence[Sighting]) -> list[int]:
        """The number of the object that each sighting is of.

        Numbers start at 1, are unique over all prompts, and are never given to another object. New ones follow the
        order of `sightings`. A frame out of order, or without a stamp, is taken for one of the newest
        moment; only one that is older than what is remembered (a recording that starts again) makes the tracker forget
        its objects.

        Parameters
        ----------
        stamp : when the frame was taken, in seconds
        sightings : all regions of the frame, the best ones first

        Returns
        -------
        one number per sighting; 0 for one that has been seen in too few frames, or is one too many (`MOST_TRACKS`)

        Raises
        ------
        ValueError
            If the stamp is not finite.
        """
        if not math.isfinite(stamp):
            raise ValueError(f"the stamp is {stamp}; it must be a finite number of seconds")
        if stamp <= 0 < self._newest:
            stamp = self._newest  # it says nothing
        if stamp < self._newest - self._memory:
            self.reset()
            self._newest = stamp
        self._newest = stamp = max(stamp, self._newest)
        self._replace([track for track in self._tracks if stamp - track.stamp <= self._memory + _ROUNDING])
        found = self._recognise(stamp, sightings)
        new = [index for index in range(len(sightings)) if index not in found][:MOST_TRACKS - len(found)]
        found.update((index, _Track(sightings[index], stamp)) for index in new)
        for index in sorted(found):
            self._see(found[index], stamp, sightings[index])
        seen = set(found.values())
        lost = sorted((track for track in self._tracks if track not in seen), key=lambda track: -track.stamp)
        self._replace([*found.values(), *lost[:MOST_TRACKS - len(found)]])
        return [found[index].number if index in found else 0 for index in range(len(sightings))]

    def _recognise(self, stamp: float, sightings: Sequence[Sighting]) -> dict[int, _Track]:
        """The known objects among the sightings, by the sighting's index."""
        tracks_of: dict[str, list[_Track]] = {}
        for track in self._tracks:
            tracks_of.setdefault(track.sighting.prompt, []).append(track)
        indices_of: dict[str, list[int]] = {}
        for index, sighting in enumerate(sightings):
            if sighting.prompt in tracks_of:
                indices_of.setdefault(sighting.prompt, []).append(index)
        found = {}
        for prompt, indices in indices_of.items():
            tracks = tracks_of[prompt]
            gone = np.array([stamp - track.stamp for track in tracks])
            cost = _costs([track.sighting for track in tracks], [sightings[index] for index in indices], gone)
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < _UNMATCHED:
                    found[indices[column]] = tracks[row]
        return found

    def _see(self, track: _Track, stamp: float, sighting: Sighting) -> None:
        """Note that an object was seen, and number it when it is time."""
        track.sighting, track.stamp = sighting, stamp
        track.frames += 1
        if not track.number and track.frames >= self._births:
            self.born += 1
            track.number = self.born

    def _replace(self, tracks: list[_Track]) -> None:
        """Remember these objects, and count the numbered ones that are no longer among them."""
        self.died += sum(track.number > 0 for track in set(self._tracks).difference(tracks))
        self._tracks = tracks


def _costs(known: Sequence[Sighting], now: Sequence[Sighting], gone: np.ndarray) -> np.ndarray:
    """(n, m) float64 in [0, 1]: what it costs to take each of `now` for each of `known`; 1 where that may not be.

    `gone` : (n,) seconds since each of `known`
    """
    distance, measured = _distances(known, now)
    vetoed = measured & (distance > FAR)
    overlap = _overlaps(known, now, ~vetoed)
    near = measured & (distance <= np.minimum(NEAR + DRIFT * gone, FAR)[:, None])
    allowed = near | (~vetoed & (overlap > 0))
    both = _BY_DISTANCE * distance / (distance + _HALF) + (1 - _BY_DISTANCE) * (1 - overlap)
    return np.where(allowed, np.where(measured, both, 1 - overlap), _UNMATCHED)


def _distances(known: Sequence[Sighting], now: Sequence[Sighting]) -> tuple[np.ndarray, np.ndarray]:
    """(n, m) float64 metres between the positions, and (n, m) bool: where both are known; 0 metres where not."""
    there, here = (np.array([np.zeros(3) if sighting.position is None else sighting.position for sighting in group],
                            np.float64) for group in (known, now))
    measured = np.logical_and.outer([sighting.position is not None for sighting in known],
                                    [sighting.position is not None for sighting in now])
    return np.where(measured, np.linalg.norm(there[:, None] - here, axis=2), 0.0), measured


def _overlaps(known: Sequence[Sighting], now: Sequence[Sighting], wanted: np.ndarray) -> np.ndarray:
    """(n, m) float64: intersection over union of the masks; 0 below `LEAST_OVERLAP` and where it is not `wanted`."""
    one, other = np.array([s.roi for s in known])[:, None], np.array([s.roi for s in now])
    corner = np.maximum(one[..., :2], other[..., :2])
    opposite = np.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:])
    total = np.add.outer([s.area for s in known], [s.area for s in now])
    # The masks share no more pixels than their boxes do, nor than the smaller one has: most pairs need no look at them.
    most = np.minimum(np.maximum(opposite - corner, 0).prod(axis=-1),
                      np.minimum.outer([s.area for s in known], [s.area for s in now]))
    worth = wanted & (most / np.maximum(total - most, 1) >= LEAST_OVERLAP)
    overlap = np.zeros(total.shape)
    for row, column in np.argwhere(worth).tolist():
        box = (*corner[row, column].tolist(), *opposite[row, column].tolist())
        shared = np.count_nonzero(_part(known[row], *box) & _part(now[column], *box))
        overlap[row, column] = shared / (total[row, column] - shared)
    return np.where(overlap >= LEAST_OVERLAP, overlap, 0.0)


def _part(sighting: Sighting, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """The mask in a box of the image that lies inside its own."""
    x, y = sighting.roi[:2]
    return sighting.mask[top - y:bottom - y, left - x:right - x]
