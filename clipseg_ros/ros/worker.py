# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs the network: the newest frame of each camera, and single requests in between."""
from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import TIMEOUT_MAX, Condition, Thread
from typing import Any, NamedTuple

from clipseg_ros.ros.reports import sentence_of

MOST_REQUESTS = 8
"""Requests that may wait; a further one is refused."""


class Busy(ValueError):
    """Too many requests wait already."""


class Counts(NamedTuple):
    """What became of a camera's frames: taken for processing, or overtaken by a newer one while they waited."""

    taken: int = 0
    overtaken: int = 0


class Request(NamedTuple):
    """What is run, and who is told of its result or of its exception."""

    run: Callable[[], Any]
    done: Callable[[Any], None]
    failed: Callable[[Exception], None]


@dataclass
class _Lane:
    """One camera's place in the queue: the frame that waits, its turn among those that began to wait, and when the last
    one was taken and where in its batch.
    """

    waiting: Any = None
    turn: int = 0
    taken_at: float = -math.inf
    place: int = 0
    taken: int = 0
    overtaken: int = 0


class Worker:
    """Processes the newest frames of the cameras, those that wait at the same time together; no queue grows.

    A frame that arrives while another one of its camera waits takes that one's place, and the overtaken one is
    counted. A camera's frame is due when its rate allows one again; those due for longest go first, so that no camera
    starves. Nothing waits for a batch to fill. Requests and batches of frames take turns, a request first.

    Parameters
    ----------
    process : called in the worker's thread with 1 to `max_batch` pairs of a camera's name and its frame, no camera
        twice, the one due for longest first
    on_error : called with whatever `process`, or what a request told, raised; the worker goes on
    max_batch : most frames that are processed together, at least 1
    clock : returns seconds, and never goes back

    Raises
    ------
    ValueError
        If `max_batch` is below 1.

    Attributes
    ----------
    paused : whether frames are ignored when they are offered; requests are not
    broken_by : what ended the thread although it was not stopped; None as long as it runs
    """

    def __init__(self, process: Callable[[list[tuple[str, Any]]], None], *, on_error: Callable[[BaseException], None],
                 max_batch: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch is {max_batch}; it must be at least 1")
        self._process = process
        self._on_error = on_error
        self._max_batch = max_batch
        self._clock = clock
        self.paused = False
        self.broken_by: BaseException | None = None
        self._changed = Condition()
        self._lanes: dict[str, _Lane] = {}
        self._requests: deque[Request] = deque()
        self._frames_next = False
        self._turn = 0
        self._max_rate = 0.0
        self._max_rates: Mapping[str, float] = {}
        self._running = False
        self._thread: Thread | None = None

    def set_rates(self, default: float, rates: Mapping[str, float]) -> None:
        """Limit the cameras in `rates` to those frames per second and the others to `default`, from now on.

        0 means no limit. ValueError, and nothing changes, for a rate that is negative or not finite.
        """
        named = {"max_rate": default, **{f"the rate of camera {camera!r}": rate for camera, rate in rates.items()}}
        for name, rate in named.items():
            if not 0 <= rate < math.inf:
                raise ValueError(f"{name} is {rate}; it must be a number of frames per second, or 0 for no limit")
        with self._changed:
            self._max_rate, self._max_rates = default, dict(rates)
            self._changed.notify()

    @property
    def counts(self) -> dict[str, Counts]:
        """The counts of each camera that has any, as they are now."""
        with self._changed:
            return {camera: Counts(lane.taken, lane.overtaken) for camera, lane in self._lanes.items()}

    def waiting(self) -> dict[str, Any]:
        """The frame of each camera that waits now; a newer one may still take its place."""
        with self._changed:
            return {camera: lane.waiting for camera, lane in self._lanes.items() if lane.waiting is not None}

    def start(self) -> None:
        """Start the thread."""
        self._running = True
        self._thread = Thread(target=self._run, name="clipseg worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being processed, forget the frames that wait and refuse the requests that wait."""
        with self._changed:
            self._running = False
            for lane in self._lanes.values():
                lane.waiting = None
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        while self._requests:
            self._tell(self._requests.popleft().failed,
                       ValueError("the node was deactivated before the request's turn came"))

    def offer(self, camera: str, frame: Any) -> None:
        """Let `frame` be the next one of `camera`; nothing else happens in the caller's thread."""
        with self._changed:
            if not self._running or self.paused:
                return
            lane = self._lanes.setdefault(camera, _Lane())
            if lane.waiting is None:
                self._turn += 1
                lane.turn = self._turn
            else:
                lane.overtaken += 1
            lane.waiting = frame
            self._changed.notify()

    def submit(self, run: Callable[[], Any], *, done: Callable[[Any], None],
               failed: Callable[[Exception], None]) -> None:
        """Call `run` soon and pass its result to `done`, or its exception to `failed`.

        Raises
        ------
        Busy
            If `MOST_REQUESTS` wait already.
        ValueError
            If the worker does not run.
        """
        with self._changed:
            if not self._running:
                raise ValueError("the node is being deactivated; it must be active to segment an image")
            if len(self._requests) >= MOST_REQUESTS:
                raise Busy(f"{MOST_REQUESTS} requests wait for the network already; try again in a moment")
            self._requests.append(Request(run, done, failed))
            self._changed.notify()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # nobody else hears of it
            self._running = False
            self.broken_by = error

    # In what follows BaseException, since SystemExit and the panics of libraries in Rust are no Exception.

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._running and not self._requests and (pause := self._pause()) != 0:
                    self._changed.wait(pause)
                if not self._running:
                    return
                request = self._next_request()
                frames = self._next_frames() if request is None else []
            if request is None:
                self._handle(frames)
            else:
                self._serve(request)

    def _next_request(self) -> Request | None:
        """Take the request that has waited for longest, unless it is the frames' turn and one of them is due."""
        if not self._requests or (self._frames_next and self._pause() == 0):
            self._frames_next = False
            return None
        self._frames_next = True
        return self._requests.popleft()

    def _due(self, camera: str) -> float:
        """When the camera may have its next frame processed, on the clock; a camera without any before is first."""
        rate = self._max_rates.get(camera, self._max_rate)
        return self._lanes[camera].taken_at + (1 / rate if rate > 0 else 0)

    def _waiting_cameras(self) -> list[str]:
        return [camera for camera, lane in self._lanes.items() if lane.waiting is not None]

    def _pause(self) -> float | None:
        """Seconds until a waiting frame is due: 0 if one is, None if no frame waits."""
        cameras = self._waiting_cameras()
        if not cameras:
            return None
        return min(max(min(map(self._due, cameras)) - self._clock(), 0), TIMEOUT_MAX)

    def _next_frames(self) -> list[tuple[str, Any]]:
        """Take the frames that have been due for longest; cameras of one batch go on in that batch's order."""
        now = self._clock()
        due = [camera for camera in self._waiting_cameras() if self._due(camera) <= now]
        due.sort(key=lambda camera: (self._due(camera), self._lanes[camera].place, self._lanes[camera].turn))
        batch = []
        for place, camera in enumerate(due[:self._max_batch]):
            lane = self._lanes[camera]
            batch.append((camera, lane.waiting))
            lane.waiting, lane.taken_at, lane.place = None, now, place
            lane.taken += 1
        return batch

    def _handle(self, frames: list[tuple[str, Any]]) -> None:
        try:
            self._process(frames)
        except BaseException as error:  # the next frames may be good ones
            self._on_error(error)

    def _serve(self, request: Request) -> None:
        try:
            result = request.run()
        except Exception as error:  # whoever asked decides what it means
            self._tell(request.failed, error)
        except BaseException as error:  # raised anew by whoever asked, it would end the node
            self._tell(request.failed, RuntimeError(sentence_of(error)))
        else:
            self._tell(request.done, result)

    def _tell(self, who: Callable[[Any], None], what: Any) -> None:
        try:
            who(what)
        except BaseException as error:  # one who cannot be told must not end the thread
            self._on_error(error)
