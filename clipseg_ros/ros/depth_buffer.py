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
        """Keep `item`, taken at `stamp` seconds, and let the oldest go."""
        with self._changed:
            self._items.append((stamp, item))
            self._changed.notify_all()

    def nearest(self, stamp: float, slop: float) -> T:
        """The item nearest to `stamp`, at most `slop` seconds away.

        While all items are older than `stamp`, a better one may be on its way: it is waited for, for a moment.

        Raises
        ------
        ValueError
            If none has arrived.
        Unmatched
            If all are too far away, with a sentence that names the two stamps and their distance.
        """
        deadline = time.monotonic() + min(slop, LONGEST_WAIT)
        with self._changed:
            while self._items and stamp - STALLED < max(other for other, _ in self._items) < stamp:
                if not self._changed.wait(deadline - time.monotonic()):
                    break
            if not self._items:
                raise ValueError("no depth image has arrived")
            distance, _, other, item = min((abs(other - stamp), index, other, item)
                                           for index, (other, item) in enumerate(self._items))
        if distance > slop:
            raise Unmatched(f"the image is of {stamp:.3f} s and the nearest depth image of {other:.3f} s: that is "
                            f"{other - stamp:+.3f} s away, more than depth_slop ({slop:g} s)")
        return item
