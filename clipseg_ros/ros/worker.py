# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs the network: the newest frame of each camera, and single requests in between."""
from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import TIMEOUT_MAX, Condition, Thread
from typing import Any

MOST_REQUESTS = 8
"""Requests that may wait; a further one is refused."""


class Busy(ValueError):
    """Too many requests wait already."""


@dataclass(frozen=True)
class Counts:
    """What became of a camera's frames: taken for processing, or overtaken by a newer one while they waited."""

    processed: int = 0
    overtaken: int = 0


class Worker:
    """Processes the newest frames of the cameras, those that wait at the same time together; no queue grows.

    A frame that arrives while another one of its camera waits takes that one's place, and the overtaken one is
    counted. A camera's frame is due when its rate allows one again; those due for longest go first, so that no camera
    starves. Nothing waits for a batch to fill. Requests go before frames.

    Parameters
    ----------
    process : called in the worker's thread with 1 to `max_batch` pairs of a camera's name and its frame, no camera
        twice, the one due for longest first
    on_error : called with an exception that `process` raised; the worker goes on
    max_batch : most frames that are processed together, at least 1
    clock : returns seconds, and never goes back

    Raises
    ------
    ValueError
        If `max_batch` is below 1.
    """

    def __init__(self, process: Callable[[list[tuple[str, Any]]], None], *, on_error: Callable[[Exception], None],
                 max_batch: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch is {max_batch}; it must be at least 1")
        self._process = process
        self._on_error = on_error
        self._max_batch = max_batch
        self._clock = clock
        self._changed = Condition()
        self._frames: dict[str, Any] = {}
        self._taken: dict[str, float] = {}
        self._places: dict[str, int] = {}
        self._requests: deque[tuple[Callable[[], Any], Callable[[Any], None], Callable[[Exception], None]]] = deque()
        self._max_rate = 0.0
        self._max_rates: dict[str, float] = {}
        self._running = False
        self._thread: Thread | None = None
        self._processed: Counter[str] = Counter()
        self._overtaken: Counter[str] = Counter()

    @property
    def max_rate(self) -> float:
        """At most so many frames per second of each camera that `max_rates` lacks are processed; 0 means no limit."""
        return self._max_rate

    @max_rate.setter
    def max_rate(self, rate: float) -> None:
        self.set_rates(rate, self._max_rates)

    @property
    def max_rates(self) -> Mapping[str, float]:
        """At most so many frames per second of these cameras are processed; 0 means no limit."""
        return dict(self._max_rates)

    @max_rates.setter
    def max_rates(self, rates: Mapping[str, float]) -> None:
        self.set_rates(self._max_rate, rates)

    def set_rates(self, default: float, rates: Mapping[str, float]) -> None:
        """Limit the cameras in `rates` to those frames per second and the others to `default`, from now on.

        0 means no limit. ValueError, and nothing changes, for a rate that is negative or not finite.
        """
        named = {"max_rate": default, **{f"the rate of camera {camera!r}": rate for camera, rate in rates.items()}}
        for name, rate in named.items():
            if not 0 <= rate < math.inf:
                raise ValueError(f"{name} is {rate}; it must be a number of frames per second, or 0 for no limit")
        with self._changed:
            self._max_rate = default
            self._max_rates = dict(rates)
            self._changed.notify()

    @property
    def processed(self) -> int:
        """Frames of all cameras that were taken for processing."""
        with self._changed:
            return self._processed.total()

    @property
    def overtaken(self) -> int:
        """Frames of all cameras that were overtaken by a newer one while they waited."""
        with self._changed:
            return self._overtaken.total()

    @property
    def counts(self) -> dict[str, Counts]:
        """The counts of each camera that has any, as they are now."""
        with self._changed:
            return {camera: Counts(self._processed[camera], self._overtaken[camera])
                    for camera in self._processed | self._overtaken}

    def waiting(self) -> dict[str, Any]:
        """The frame of each camera that waits now; a newer one may still take its place."""
        with self._changed:
            return dict(self._frames)

    def start(self) -> None:
        """Start the thread."""
        self._running = True
        self._thread = Thread(target=self._run, name="clipseg worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being processed, forget the frames that wait and refuse the requests that wait."""
        with self._changed:
            self._running = False
            self._frames.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        while self._requests:
            _, _, failed = self._requests.popleft()
            failed(ValueError("the node was deactivated before the request's turn came"))

    def offer(self, camera: str, frame: Any) -> None:
        """Let `frame` be the next one of `camera`; nothing else happens in the caller's thread."""
        with self._changed:
            if not self._running:
                return
            if camera in self._frames:
                self._overtaken[camera] += 1
            self._frames[camera] = frame
            self._changed.notify()

    def submit(self, request: Callable[[], Any], *, done: Callable[[Any], None],
               failed: Callable[[Exception], None]) -> None:
        """Run `request` before the next frames and pass its result to `done`, or its exception to `failed`.

        Raises
        ------
        Busy
            If `MOST_REQUESTS` wait already.
        """
        with self._changed:
            if len(self._requests) >= MOST_REQUESTS:
                raise Busy(f"{MOST_REQUESTS} requests wait for the network already; try again in a moment")
            self._requests.append((request, done, failed))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._running and not self._requests and (pause := self._pause()) != 0:
                    self._changed.wait(pause)
                if not self._running:
                    return
                request = self._requests.popleft() if self._requests else None
                frames = [] if request else self._next_frames()
            if request:
                self._serve(*request)
            else:
                self._handle(frames)

    def _due(self, camera: str) -> float:
        """When the camera may have its next frame processed, on the clock; a camera without any before is first."""
        if camera not in self._taken:
            return -math.inf
        rate = self._max_rates.get(camera, self._max_rate)
        return self._taken[camera] + (1 / rate if rate > 0 else 0)

    def _pause(self) -> float | None:
        """Seconds until a waiting frame is due: 0 if one is, None if no frame waits."""
        if not self._frames:
            return None
        return min(max(min(map(self._due, self._frames)) - self._clock(), 0), TIMEOUT_MAX)

    def _next_frames(self) -> list[tuple[str, Any]]:
        """Take the frames that have been due for longest; cameras of one batch go on in that batch's order."""
        now = self._clock()
        due = [camera for camera in self._frames if self._due(camera) <= now]
        due.sort(key=lambda camera: (self._due(camera), self._places.get(camera, 0)))
        cameras = due[:self._max_batch]
        for place, camera in enumerate(cameras):
            self._taken[camera], self._places[camera] = now, place
        self._processed.update(cameras)
        return [(camera, self._frames.pop(camera)) for camera in cameras]

    def _handle(self, frames: list[tuple[str, Any]]) -> None:
        try:
            self._process(frames)
        except Exception as error:  # the next frames may be good ones
            self._on_error(error)

    @staticmethod
    def _serve(request: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        try:
            result = request()
        except Exception as error:  # whoever asked decides what it means
            failed(error)
        else:
            done(result)
