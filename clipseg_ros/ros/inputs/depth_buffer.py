# SPDX-License-Identifier: Apache-2.0
"""The last few depth images, found again by their stamp."""
from __future__ import annotations

import time
from collections import deque
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT = 16
LONGEST_WAIT = 0.05
"""Seconds that `DepthBuffer.nearest` waits for a depth image that may still be on its way."""
STALLED = 1.0
"""A depth camera that is so many seconds behind is not waited for."""
JUMP = 1.0
"""A stamp so many seconds before the newest one is of a new start, such as a recording that is played again."""


class Unmatched(ValueError):
    """There are depth images, but none near enough in time."""


class DepthBuffer(Generic[T]):
    """Keeps the newest images; one thread adds them while another looks for one."""

    def __init__(self) -> None:
        self._items: deque[tuple[float, T]] = deque(maxlen=KEPT)
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._items)

    def add(self, stamp: float, item: T) -> None:
        """Keep `item`, taken at `stamp` seconds, and let the oldest go; after a jump back, all of them."""
        with self._changed:
            if self._items and stamp < self._newest() - JUMP:
                self._items.clear()
            self._items.append((stamp, item))
            self._changed.notify_all()

    def nearest(self, stamp: float, slop: float) -> T:
        """The item nearest to `stamp`, at most `slop` seconds away; of two equally near ones the one added later.

        While a better one may be on its way, it is waited for, for a moment: that is, while all items are older than
        `stamp`, and the nearest of them by more than half the time between two images, or by more than `slop`.

        Raises
        ------
        ValueError
            If none has arrived.
        Unmatched
            If all are too far away, with a sentence that names the two stamps and their distance.
        """
        deadline = time.monotonic() + min(slop, LONGEST_WAIT)
        with self._changed:
            while self._may_come_nearer(stamp, slop):
                if not self._changed.wait(deadline - time.monotonic()):
                    break
            if not self._items:
                raise ValueError("no depth image has arrived")
            distance, _, other, item = min((abs(other - stamp), -index, other, item)
                                           for index, (other, item) in enumerate(self._items))
        if distance > slop:
            raise Unmatched(f"the image is of {stamp:.3f} s and the nearest depth image of {other:.3f} s: that is "
                            f"{other - stamp:+.3f} s away, more than depth_slop ({slop:g} s)")
        return item

    def _may_come_nearer(self, stamp: float, slop: float) -> bool:
        behind = stamp - self._newest() if self._items else 0.0
        return 0 < behind < STALLED and behind > min(slop, self._period() / 2)

    def _newest(self) -> float:
        return max(stamp for stamp, _ in self._items)

    def _period(self) -> float:
        """Seconds between the two newest images; infinity where there is only one."""
        newest = sorted({stamp for stamp, _ in self._items})[-2:]
        return newest[1] - newest[0] if len(newest) == 2 else float("inf")
