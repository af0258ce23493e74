# SPDX-License-Identifier: Apache-2.0
"""What changes over a run: settings in steps, the learning rate along half a cosine; and when the run ends."""

from __future__ import annotations

import math
import time


def value_at(value: float | list, progress: float) -> float:
    """A setting at `progress` (0 to 1): a number, or a list of [progress, number], ascending: from there on.

    Raises ValueError for a list that says nothing for the start of the run.
    """
    if not isinstance(value, list):
        return value
    reached = [number for start, number in value if start <= progress]
    if not reached:
        raise ValueError(f"{value!r} says nothing for the start of the run; its first entry must be [0.0, number].")
    return reached[-1]


def learning_rate(progress: float, *, peak: float, floor: float, warmup: float) -> float:
    """Learning rate at `progress` (0 at the start of the run, 1 at its end).

    It rises linearly from `peak` / 100 to `peak` over the first `warmup` of the run (a fraction, 0 for none)
    and then follows half a cosine from `peak` to `floor`. Progress beyond 1 stays at `floor`.
    """
    if progress < warmup:
        return peak * max(progress / warmup, 0.01)
    fraction = min((progress - warmup) / max(1.0 - warmup, 1e-12), 1.0)
    return floor + 0.5 * (peak - floor) * (1.0 + math.cos(math.pi * fraction))


class Budget:
    """How far a run is: by iterations, by wall-clock minutes, or by whichever of the two is further.

    Parameters
    ----------
    iterations : optimiser steps of the whole run, or None for no limit
    minutes : wall-clock minutes of the whole run, summed over interruptions, or None for no limit
    elapsed : seconds that earlier sessions of a resumed run took
    """

    def __init__(
        self, iterations: int | None, minutes: float | None, *, elapsed: float = 0.0, clock=time.monotonic
    ) -> None:
        if iterations is None and minutes is None:
            raise ValueError("a run needs an end: set iterations, max_minutes or both.")
        self._iterations = iterations
        self._minutes = minutes
        self._clock = clock
        self._start = clock() - elapsed

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, over all sessions of the run."""
        return self._clock() - self._start

    def progress(self, iteration: int) -> float:
        """Fraction of the run that is done after `iteration` steps, 0 to 1."""
        parts = [0.0]
        if self._iterations is not None:
            parts.append(iteration / self._iterations)
        if self._minutes is not None:
            parts.append(self.elapsed / (60.0 * self._minutes))
        return min(max(parts), 1.0)
