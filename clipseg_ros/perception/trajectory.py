# SPDX-License-Identifier: Apache-2.0
"""Where something was at a time, from poses at other times."""
from __future__ import annotations

from bisect import bisect
from collections import deque

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from clipseg_ros.perception.transforms import Transform

KEPT = 10.0
"""Seconds of the past that are kept."""
MOST = 5000
"""Poses that are kept at most, the newest."""
GAP = 0.5
"""Seconds between two poses up to which the ones between are interpolated."""
NEAR = 0.02
"""Seconds from a pose up to which it does where there is none on the other side."""


class Trajectory:
    """The newest poses, rising in time; after a step back in time (a recording that starts again) it begins anew."""

    def __init__(self) -> None:
        self._poses: deque[tuple[float, Transform]] = deque(maxlen=MOST)

    def __len__(self) -> int:
        return len(self._poses)

    def add(self, seconds: float, pose: Transform) -> None:
        """Take a pose at a time."""
        if self._poses and seconds <= self._poses[-1][0]:
            self._poses.clear()
        self._poses.append((seconds, pose))
        while self._poses[-1][0] - self._poses[0][0] > KEPT:
            self._poses.popleft()

    def at(self, seconds: float) -> Transform | None:
        """The pose at a time, between two neighbours or at one; None where none is near enough."""
        times = [time for time, _ in self._poses]
        place = bisect(times, seconds)
        if 0 < place < len(times) and times[place] - times[place - 1] <= GAP:
            return _between(*(self._poses[index] for index in (place - 1, place)), seconds)
        nearest = min(self._poses, key=lambda one: abs(one[0] - seconds), default=None)
        return nearest[1] if nearest is not None and abs(nearest[0] - seconds) <= NEAR else None


def _between(first: tuple[float, Transform], second: tuple[float, Transform], seconds: float) -> Transform:
    """Straight in space, and at one speed around one axis."""
    (start, one), (end, other) = first, second
    share = (seconds - start) / (end - start)
    turn = Slerp([0.0, 1.0], Rotation.from_quat(np.stack([one.rotation, other.rotation])))(share)
    return Transform((1 - share) * one.translation + share * other.translation, turn.as_quat())
