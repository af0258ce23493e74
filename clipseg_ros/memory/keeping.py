# SPDX-License-Identifier: Apache-2.0
"""Which frames are worth keeping: those that show something new, and of those no more than there is room for."""
from __future__ import annotations

from collections.abc import Iterable
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
    max_age : seconds after which a view that was kept is kept anew
    """

    step: float = 0.25
    turn: float = 15.0
    change: float = 0.5
    max_age: float = 60.0

    def __post_init__(self) -> None:
        if not min(self.step, self.turn, self.change, self.max_age) > 0:
            raise ValueError(f"something new is {self}; all of it must be above 0")


SAME_VIEW = 0.25
"""Share of a new view's distance up to which two frames are of the same view, so that the later one replaces the other."""
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
    nbytes : what they take
    """

    def __init__(self, budget: int, novelty: Novelty) -> None:
        self._budget, self._novelty = budget, novelty
        self.frames: dict[int, Keyframe] = {}
        self.nbytes = 0
        self._nearest: dict[int, tuple[float, int]] = {}

    def nearest(self, camera: str, pose: Transform) -> tuple[float, Keyframe | None]:
        """The kept frame of a camera that was taken from nearest to a pose, and how far that is: from 1 on it is new."""
        distances, frames = self._distances(camera, pose)
        if not frames:
            return np.inf, None
        index = int(distances.argmin())
        return float(distances[index]), frames[index]

    def is_outdated(self, known: Keyframe, distance: float, stamp: float, features: np.ndarray) -> bool:
        """Whether a frame shows something new although it is of a view that is `known`, at this distance."""
        if stamp - known.stamp > self._novelty.max_age:
            return True
        return distance < SAME_VIEW and change(known.features, features) > self._novelty.change

    def put(self, frame: Keyframe) -> None:
        """Keep a frame. It replaces those of the same view; beyond the budget, the most redundant ones go."""
        distances, others = self._distances(frame.camera, frame.pose)
        self.remove(other.number for other, distance in zip(others, distances) if distance < SAME_VIEW)
        self.frames[frame.number] = frame
        self.nbytes += frame.nbytes
        self._link(frame)
        while self.nbytes > self._budget and len(self.frames) > 1:
            self.remove([self._most_redundant()])

    def remove(self, numbers: Iterable[int]) -> None:
        """Let go of frames by number."""
        gone = set(numbers) & self.frames.keys()
        for number in gone:
            self.nbytes -= self.frames.pop(number).nbytes
            del self._nearest[number]
        for number in [number for number, (_, other) in self._nearest.items() if other in gone]:
            self._link(self.frames[number])

    def replace(self, frames: Iterable[Keyframe]) -> None:
        """Take frames in place of those with their numbers; nothing is judged anew."""
        for frame in frames:
            self.frames[frame.number] = frame
        for frame in self.frames.values():
            self._nearest[frame.number] = (np.inf, frame.number)
        for frame in self.frames.values():
            self._link(frame)
        self.nbytes = sum(frame.nbytes for frame in self.frames.values())

    def _link(self, frame: Keyframe) -> None:
        """Find the frame's nearest one, and tell the others that it came."""
        distances, others = self._distances(frame.camera, frame.pose)
        self._nearest[frame.number] = (np.inf, frame.number)
        for other, apart in zip(others, distances):
            if other is not frame:
                self._nearest[frame.number] = min(self._nearest[frame.number], (apart, other.number))
                self._nearest[other.number] = min(self._nearest[other.number], (apart, frame.number))

    def _most_redundant(self) -> int:
        """The older one of the two that are nearest to each other."""
        number = min(self._nearest, key=lambda one: self._nearest[one][0])
        return min(number, self._nearest[number][1])

    def _distances(self, camera: str, pose: Transform) -> tuple[np.ndarray, list[Keyframe]]:
        """How far the camera's frames are from a pose, in shares of a new view's distance."""
        frames = [frame for frame in self.frames.values() if frame.camera == camera]
        if not frames:
            return np.zeros(0), frames
        moved = np.linalg.norm([frame.pose.translation - pose.translation for frame in frames], axis=1)
        cosines = np.abs(np.array([frame.pose.rotation for frame in frames]) @ pose.rotation)
        turned = 2 * np.degrees(np.arccos(np.minimum(cosines, 1.0)))
        return np.hypot(moved / self._novelty.step, turned / self._novelty.turn), frames


def change(before: np.ndarray, now: np.ndarray) -> float:
    """How much the features (depth, tokens, width) of two frames of one view differ, 0 for not at all."""
    before, now = before[0].astype(np.float32), now[0].astype(np.float32)
    size = np.linalg.norm(before, axis=1).mean()
    return float(np.quantile(np.linalg.norm(now - before, axis=1), _CHANGED_TOKENS) / max(float(size), 1e-6))
