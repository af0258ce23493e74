# SPDX-License-Identifier: Apache-2.0
"""Which frames are worth keeping: those that show something new, and of those no more than there is room for."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from clipseg_ros.memory.keyframe import Keyframe
from clipseg_ros.perception.transforms import Transform


@dataclass(frozen=True)
class Novelty:
    """From where on a frame shows something new, against the nearest kept one of its camera.

    Attributes
    ----------
    step, turn : metres and degrees that the camera has moved and turned, together: each counts as its share
    change : share by which the features differ, from one place as good as the same: what a cup that comes or goes makes
        of the part of the picture where it stands
    max_age : seconds after which a view that was kept is kept anew; also where the clock has gone back by as many
    """

    step: float = 0.25
    turn: float = 15.0
    change: float = 0.5
    max_age: float = 60.0

    def __post_init__(self) -> None:
        if not min(self.step, self.turn, self.change, self.max_age) > 0:
            raise ValueError(f"something new is {self}; all of it must be above 0")


LOOK_AGAIN = 1.0
"""Seconds between two looks at whether something has changed in a view that is known."""
SAME_VIEW = 0.25
"""Share of a new view's distance up to which two frames are of the same view: the later one replaces the other."""
_CHANGED_TOKENS = 0.98
"""This quantile of the tokens' changes tells: a small thing covers few of them."""


class Keeping:
    """The keyframes of one memory; for one thread at a time.

    Parameters
    ----------
    budget : bytes that they may take
    novelty : from where on a frame is new

    Attributes
    ----------
    frames : by number, oldest first
    places : where each camera's frames were taken
    nbytes : what the frames take
    """

    def __init__(self, budget: int, novelty: Novelty) -> None:
        self._budget, self._novelty = budget, novelty
        self.frames: dict[int, Keyframe] = {}
        self.places: dict[str, Places] = {}
        self._looked: dict[str, float] = {}
        self.nbytes = 0

    def nearest(self, camera: str, pose: Transform) -> tuple[float, Keyframe | None]:
        """How far the nearest kept frame of a camera is from a pose, from 1 on it is new; and that frame."""
        places = self._of(camera)
        if not len(places.numbers):
            return np.inf, None
        distances = places.distances(pose)
        index = int(distances.argmin())
        return float(distances[index]), self.frames[int(places.numbers[index])]

    def is_new(self, known: Keyframe | None, distance: float, stamp: float, features: Callable[[], np.ndarray]) -> bool:
        """Whether a frame at a `distance` from the `nearest` one shows something new.

        Its features are asked for where the view is that of the known one, and only once in `LOOK_AGAIN` seconds.
        """
        if known is None or distance >= 1 or abs(stamp - known.stamp) > self._novelty.max_age:
            return True
        if distance >= SAME_VIEW or 0 <= stamp - self._looked.get(known.camera, -np.inf) < LOOK_AGAIN:
            return False
        self._looked[known.camera] = stamp
        return change(known.features, features()) > self._novelty.change

    def put(self, frame: Keyframe) -> None:
        """Keep a frame. It replaces those of the same view; beyond the budget, the most redundant ones go."""
        places = self._of(frame.camera)
        self.remove(places.numbers[places.distances(frame.pose) < SAME_VIEW].tolist())
        self._add(frame)
        while self.nbytes > self._budget and len(self.frames) > 1:
            self.remove([self._most_redundant()])

    def remove(self, numbers: Iterable[int]) -> None:
        """Let go of frames by number."""
        for number in set(numbers) & self.frames.keys():
            frame = self.frames.pop(number)
            self.nbytes -= frame.nbytes
            self.places[frame.camera].remove(number)

    def replace(self, frames: Iterable[Keyframe]) -> None:
        """Take frames in place of those with their numbers; which are new is not judged again."""
        kept = self.frames | {frame.number: frame for frame in frames}
        self.frames, self.places, self.nbytes = {}, {}, 0
        for frame in kept.values():
            self._add(frame)

    def _add(self, frame: Keyframe) -> None:
        self.frames[frame.number] = frame
        self.nbytes += frame.nbytes
        self._of(frame.camera).add(frame.number, frame.pose)

    def _of(self, camera: str) -> Places:
        return self.places.setdefault(camera, Places(self._novelty))

    def _most_redundant(self) -> int:
        """The older one of the two that are nearest to each other; where all cameras have one frame, the oldest."""
        some = [places for places in self.places.values() if len(places.numbers)]
        places = min(some, key=lambda one: one.gaps.min())
        index = int(places.gaps.argmin())
        if np.isinf(places.gaps[index]):
            return min(self.frames)
        return int(min(places.numbers[index], places.others[index]))


class Places:
    """Where the frames of one camera were taken, how far each is from its nearest one (n,), and which that is (n,)."""

    def __init__(self, novelty: Novelty) -> None:
        self._novelty = novelty
        self.numbers, self.others = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.gaps = np.zeros(0)
        self._translations, self._rotations = np.zeros((0, 3)), np.zeros((0, 4))

    def distances(self, pose: Transform) -> np.ndarray:
        """(n,) how far each frame is from a pose, in shares of a new view's distance."""
        moved = np.linalg.norm(self._translations - pose.translation, axis=1)
        turned = 2 * np.degrees(np.arccos(np.minimum(np.abs(self._rotations @ pose.rotation), 1.0)))
        return np.hypot(moved / self._novelty.step, turned / self._novelty.turn)

    def add(self, number: int, pose: Transform) -> None:
        """Note a frame."""
        apart = self.distances(pose)
        nearer = apart < self.gaps
        self.gaps, self.others = np.where(nearer, apart, self.gaps), np.where(nearer, number, self.others)
        nearest = (apart.min(), self.numbers[apart.argmin()]) if len(apart) else (np.inf, number)
        self.gaps, self.others = np.append(self.gaps, nearest[0]), np.append(self.others, nearest[1])
        self.numbers = np.append(self.numbers, number)
        self._translations = np.vstack([self._translations, pose.translation])
        self._rotations = np.vstack([self._rotations, pose.rotation])

    def remove(self, number: int) -> None:
        """Forget a frame, and find those their nearest ones anew whose nearest it was."""
        left = self.numbers != number
        self.numbers, self.others, self.gaps = self.numbers[left], self.others[left], self.gaps[left]
        self._translations, self._rotations = self._translations[left], self._rotations[left]
        for index in np.flatnonzero(self.others == number):
            apart = self.distances(Transform(self._translations[index], self._rotations[index]))
            apart[index] = np.inf
            nearest = int(apart.argmin())
            self.gaps[index] = apart[nearest]
            self.others[index] = self.numbers[nearest]


def change(before: np.ndarray, now: np.ndarray) -> float:
    """How much the features (depth, tokens, width) of two frames of one view differ, 0 for not at all."""
    before, now = before[0].astype(np.float32), now[0].astype(np.float32)
    size = np.linalg.norm(before, axis=1).mean()
    return float(np.quantile(np.linalg.norm(now - before, axis=1), _CHANGED_TOKENS) / max(float(size), 1e-6))
