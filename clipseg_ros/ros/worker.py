# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs the network: the newest frame of each camera, and single requests in between."""
from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import Any

MOST_REQUESTS = 8
"""Requests that may wait; a further one is refused."""


class Busy(ValueError):
    """Too many requests wait already."""


class Worker:
    """Processes the newest frame of each camera in turn; no queue grows.

    A frame that arrives while another one of its camera waits takes that one's place, and the overtaken one is
    counted. Requests go before frames.

    Parameters
    ----------
    process : called in the worker's thread with a camera's name and a frame
    on_error : called with an exception that `process` raised; the worker goes on
    """

    def __init__(self, process: Callable[[str, Any], None], *, on_error: Callable[[Exception], None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._process = process
        self._on_error = on_error
        self._clock = clock
        self._changed = Condition()
        self._frames: dict[str, Any] = {}
        self._due: dict[str, float] = {}
        self._requests: deque[tuple[Callable[[], Any], Callable[[Any], None], Callable[[Exception], None]]] = deque()
        self._max_rate = 0.0
        self._running = False
        self._thread: Thread | None = None
        self.processed = 0
        self.overtaken = 0

    @property
    def max_rate(self) -> float:
        """At most so many frames per second of each camera are processed; 0 means no limit."""
        return self._max_rate

    @max_rate.setter
    def max_rate(self, rate: float) -> None:
        with self._changed:
            self._max_rate = rate
            self._due.clear()
            self._changed.notify()

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
            self.overtaken += camera in self._frames
            self._frames[camera] = frame
            self._changed.notify()

    def submit(self, request: Callable[[], Any], *, done: Callable[[Any], None],
               failed: Callable[[Exception], None]) -> None:
        """Run `request` before the next frame and pass its result to `done`, or its exception to `failed`.

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
                camera, frame = (None, None) if request else self._next_frame()
            if request:
                self._serve(*request)
            else:
                self._handle(camera, frame)

    def _pause(self) -> float | None:
        """Seconds until a waiting frame is due: 0 if one is, None if no frame waits."""
        now = self._clock()
        return min((max(self._due.get(camera, now) - now, 0) for camera in self._frames), default=None)

    def _next_frame(self) -> tuple[str, Any]:
        """Take the frame that has been due for longest, so that no camera starves another."""
        camera = min(self._frames, key=lambda name: self._due.get(name, 0.0))
        self._due[camera] = self._clock() + (1 / self._max_rate if self._max_rate > 0 else 0)
        return camera, self._frames.pop(camera)

    def _handle(self, camera: str, frame: Any) -> None:
        self.processed += 1
        try:
            self._process(camera, frame)
        except Exception as error:  # the next frame may be a good one
            self._on_error(error)

    @staticmethod
    def _serve(request: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        try:
            result = request()
        except Exception as error:  # whoever asked decides what it means
            failed(error)
        else:
            done(result)
