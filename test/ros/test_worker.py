# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import queue
import threading

import pytest

from clipseg_ros.ros.worker import MOST_REQUESTS, Busy, Worker

WAIT = 20


class Bench:
    """A worker whose processing waits at a gate, so that a test decides what is waiting when."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.begun: queue.Queue = queue.Queue()
        self.errors: queue.Queue = queue.Queue()
        self.answers: queue.Queue = queue.Queue()
        self.worker = Worker(self.process, on_error=self.errors.put)

    def process(self, camera, frame):
        self.begun.put((camera, frame))
        assert self.gate.acquire(timeout=WAIT)
        if frame == "bad":
            raise RuntimeError("no such frame")

    def next(self):
        return self.begun.get(timeout=WAIT)

    def submit(self, request):
        self.worker.submit(request, done=self.answers.put, failed=self.answers.put)


@pytest.fixture
def bench():
    bench = Bench()
    bench.worker.start()
    yield bench
    for _ in range(100):
        bench.gate.release()
    bench.worker.stop()


def test_the_newest_frame_wins_and_the_overtaken_ones_are_counted(bench):
    bench.worker.offer("camera", 1)
    assert bench.next() == ("camera", 1)
    for frame in (2, 3, 4):
        bench.worker.offer("camera", frame)
    bench.gate.release()
    assert bench.next() == ("camera", 4)
    assert (bench.worker.processed, bench.worker.overtaken) == (2, 2)


def test_cameras_take_turns(bench):
    bench.worker.offer("a", 1)
    bench.next()
    order = []
    for frame in range(2, 6):
        bench.worker.offer("a", frame)
        bench.worker.offer("b", frame)
        bench.gate.release()
        order.append(bench.next()[0])
    assert order == ["b", "a", "b", "a"]


def test_requests_go_before_frames(bench):
    bench.worker.offer("camera", 1)
    bench.next()
    bench.worker.offer("camera", 2)
    seen = []
    bench.submit(lambda: seen.append(bench.begun.empty()) or "answer")
    bench.gate.release()
    assert bench.answers.get(timeout=WAIT) == "answer"
    assert seen == [True]
    assert bench.next() == ("camera", 2)


def test_an_error_ends_neither_frames_nor_requests(bench):
    bench.worker.offer("camera", "bad")
    bench.next()
    bench.gate.release()
    assert "no such frame" in str(bench.errors.get(timeout=WAIT))
    bench.submit(lambda: 1 / 0)
    assert isinstance(bench.answers.get(timeout=WAIT), ZeroDivisionError)
    bench.worker.offer("camera", 2)
    assert bench.next() == ("camera", 2)


def test_too_many_requests_are_refused(bench):
    bench.worker.offer("camera", 1)
    bench.next()
    for _ in range(MOST_REQUESTS):
        bench.submit(lambda: None)
    with pytest.raises(Busy, match="try again"):
        bench.submit(lambda: None)


def test_stopping_refuses_what_waits():
    bench = Bench()
    bench.worker.start()
    bench.worker.offer("camera", 1)
    bench.next()
    bench.submit(lambda: "never")
    bench.worker.offer("camera", 2)
    stopping = threading.Thread(target=bench.worker.stop)
    stopping.start()
    while bench.worker._running:
        stopping.join(0.001)
    bench.gate.release()
    stopping.join(WAIT)
    assert "deactivated" in str(bench.answers.get(timeout=WAIT))
    assert bench.begun.empty()
    bench.worker.offer("camera", 3)
    assert bench.worker._frames == {}


def test_the_rate_limit_spaces_the_frames_of_each_camera():
    now = [0.0]
    worker = Worker(lambda camera, frame: None, on_error=print, clock=lambda: now[0])
    worker._running = True
    worker.max_rate = 2.0
    worker.offer("a", 1)
    assert worker._pause() == 0
    assert worker._next_frame() == ("a", 1)
    assert worker._pause() is None
    now[0] = 0.1
    worker.offer("a", 2)
    assert worker._pause() == pytest.approx(0.4)
    worker.offer("b", 1)
    assert worker._pause() == 0
    assert worker._next_frame() == ("b", 1)
    worker.max_rate = 0.0
    assert worker._pause() == 0
