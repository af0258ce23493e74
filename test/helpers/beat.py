# SPDX-License-Identifier: Apache-2.0
"""Calls a function at a rate from a thread of its own, as a camera's driver publishes."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Beat:
    """While the context lasts, `act(number)` is called `rate` times a second; a late call is made up for within 1 s.

    Attributes
    ----------
    done : calls so far
    """

    def __init__(self, act: Callable[[int], object], rate: float) -> None:
        self._act, self._pause = act, 1.0 / rate
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.done = 0

    def __enter__(self) -> Beat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._end.wait(max(due - time.monotonic(), 0.0)):
            self._act(self.done)
            self.done += 1
            due = max(due + self._pause, time.monotonic() - 1.0)
