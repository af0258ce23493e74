# SPDX-License-Identifier: Apache-2.0
"""Times calls in turns, so that a machine whose speed drifts is as slow for one as for the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

Clock = Callable[[], float]
"""Returns seconds since any fixed moment."""


class Contender(NamedTuple):
    """What is timed: `call` with what `prepare` returns, anew for each call; only `call` is timed."""

    name: str
    prepare: Callable[[], Any]
    call: Callable[[Any], object]


@dataclass(frozen=True)
class Sample:
    """The seconds of a contender's calls, at least one, in the order of the rounds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """In seconds."""
        return float(np.median(self.seconds))

    @property
    def quartiles(self) -> tuple[float, float]:
        """The lower and the upper one, in seconds, interpolated linearly."""
        lower, upper = np.quantile(self.seconds, (0.25, 0.75))
        return float(lower), float(upper)


def take_turns(
    contenders: Sequence[Contender], *, repeats: int, warm_up: int = 1, clock: Clock = time.perf_counter,
    on_round: Callable[[], None] = lambda: None,
) -> dict[str, Sample]:
    """Let each contender make one call a round, and return the times of each by its name.

    Parameters
    ----------
    repeats : rounds that count. Each round starts with another contender.
    warm_up : rounds before them that do not count.
    on_round : called after every round.

    Raises ValueError for less than one counted round, or for a name that two contenders have.
    """
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}; it must be at least 1")
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    if len(times) < len(contenders):
        raise ValueError("two contenders have the same name; each needs one of its own")
    for number in range(-warm_up, repeats):
        first = number % max(len(contenders), 1)
        for contender in (*contenders[first:], *contenders[:first]):
            given = contender.prepare()
            start = clock()
            contender.call(given)
            seconds = clock() - start
            if number >= 0:
                times[contender.name].append(seconds)
        on_round()
    return {name: Sample(tuple(seconds)) for name, seconds in times.items()}


def ratio(ours: Sample, theirs: Sample) -> float:
    """How many times as long as ours theirs takes: the median of the ratios of each round."""
    return float(np.median(np.divide(theirs.seconds, ours.seconds)))


def clock_of(device: torch.device) -> Clock:
    """The clock for work on `device`; on a GPU it waits for what was started to be done before it is read."""
    if device.type != "cuda":
        return time.perf_counter

    def read() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return read
