# SPDX-License-Identifier: Apache-2.0
"""Which frames are processed when: the newest, in turn, together, and no more often than the rates allow."""
from __future__ import annotations

import math
import queue
import threading

import pytest

from clipseg_ros.ros.worker import MOST_REQUESTS, Busy, Counts, Worker

WAIT = 20


class Bench:
    """A worker whose processing waits at a gate, so that a test decides what is waiting when."""

    def __init__(self, max_batch: int = 1) -> None:
        self.gate = threading.Semaphore(0)
        self.begun: queue.Queue = queue.Queue()
        self.errors: queue.Queue = queue.Queue()
        self.answers: queue.Queue = queue.Queue()
        self.worker = Worker(self.process, on_error=self.errors.put, max_batch=max_batch)

    def process(self, frames):
        self.begun.put(frames)
        assert self.gate.acquire(timeout=WAIT)
        if "bad" in dict(frames).values():
            raise RuntimeError("no such frame")

    def next(self):
        return self.begun.get(timeout=WAIT)

    def submit(self, request):
        self.worker.submit(request, done=self.answers.put, failed=self.answers.put)


@pytest.fixture
def bench(request):
    """One frame at a time, or as many as the test says."""
    bench = Bench(getattr(request, "param", 1))
    bench.worker.start()
    yield bench
    for _ in range(100):
        bench.gate.release()
    bench.worker.stop()


def test_the_newest_frame_wins_and_the_overtaken_ones_are_counted(bench):
    bench.worker.offer("camera", 1)
    assert bench.next() == [("camera", 1)]
    for frame in (2, 3, 4):
        bench.worker.offer("camera", frame)
    bench.gate.release()
    assert bench.next() == [("camera", 4)]
    assert bench.worker.counts == {"camera": Counts(taken=2, overtaken=2)}


def test_cameras_take_turns(bench):
    bench.worker.offer("a", 1)
    bench.next()
    order = []
    for frame in range(2, 6):
        bench.worker.offer("a", frame)
        bench.worker.offer("b", frame)
        bench.gate.release()
        order.append(bench.next()[0][0])
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
    assert bench.next() == [("camera", 2)]


def test_requests_and_frames_take_turns(bench):
    """Two clients that always have a request waiting do not keep the cameras from their turn, nor the other way round."""
    bench.worker.offer("camera", 0)
    bench.next()
    order = []

    def ask(client):
        order.append(client)
        if len(order) < 20:
            bench.submit(lambda: ask(client))
        bench.worker.offer("camera", len(order))

    for client in "ab":
        bench.submit(lambda client=client: ask(client))
    bench.gate.release(100)
    for _ in range(21):
        bench.answers.get(timeout=WAIT)
    frames = [frames[0][1] for frames in iter(bench.next, [("camera", 20)])]
    assert frames == list(range(1, 20)), "a frame after each request"
    assert order[:4] == ["a", "b", "a", "b"]


@pytest.mark.parametrize("request_", [lambda: 1, lambda: 1 / 0])
def test_one_who_cannot_be_told_does_not_end_the_thread(bench, request_):
    def gone(answer):
        raise RuntimeError("the client is gone")
    bench.worker.submit(request_, done=gone, failed=gone)
    assert "the client is gone" in str(bench.errors.get(timeout=WAIT))
    bench.worker.offer("camera", 1)
    assert bench.next() == [("camera", 1)]


def test_a_request_after_the_end_is_refused():
    worker = Worker(print, on_error=print)
    for _ in range(2):
        with pytest.raises(ValueError, match="deactivated"):
            worker.submit(print, done=print, failed=print)
        worker.start()
        worker.stop()


def test_an_error_ends_neither_frames_nor_requests(bench):
    bench.worker.offer("camera", "bad")
    bench.next()
    bench.gate.release()
    assert "no such frame" in str(bench.errors.get(timeout=WAIT))
    bench.submit(lambda: 1 / 0)
    assert isinstance(bench.answers.get(timeout=WAIT), ZeroDivisionError)
    bench.worker.offer("camera", 2)
    assert bench.next() == [("camera", 2)]


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
    assert bench.worker.waiting() == {}


@pytest.mark.parametrize("bench", [2], indirect=True)
def test_frames_that_wait_at_the_same_time_are_processed_together(bench):
    bench.worker.offer("a", 1)
    assert bench.next() == [("a", 1)], "nothing waits for a batch to fill"
    for camera, frame in (("a", 2), ("b", 1), ("a", 3), ("c", 1)):
        bench.worker.offer(camera, frame)
    bench.gate.release()
    assert bench.next() == [("b", 1), ("c", 1)]
    bench.gate.release()
    assert bench.next() == [("a", 3)]
    assert bench.worker.counts == {"a": Counts(2, 1), "b": Counts(1, 0), "c": Counts(1, 0)}


@pytest.mark.parametrize("bench", [3], indirect=True)
def test_an_error_in_a_batch_is_told_once(bench):
    bench.worker.offer("a", 1)
    bench.next()
    for camera, frame in (("a", "bad"), ("b", "bad"), ("c", 1)):
        bench.worker.offer(camera, frame)
    bench.gate.release(2)
    assert len(bench.next()) == 3
    assert "no such frame" in str(bench.errors.get(timeout=WAIT))
    bench.worker.offer("a", 2)
    assert bench.next() == [("a", 2)]
    assert bench.errors.empty()


@pytest.mark.parametrize("max_batch", [0, -1])
def test_a_batch_of_no_frame_is_refused(max_batch):
    with pytest.raises(ValueError, match=f"max_batch is {max_batch}; it must be at least 1"):
        Worker(print, on_error=print, max_batch=max_batch)


@pytest.fixture
def clocked():
    """Makes a worker without a thread, whose clock is the one number of the list beside it."""
    now = [0.0]

    def make(max_batch=1):
        worker = Worker(print, on_error=print, max_batch=max_batch, clock=lambda: now[0])
        worker._running = True
        return worker, now

    return make


@pytest.mark.parametrize(
    "max_batch, batches",
    [(1, ["a", "b", "c", "d", "a", "b", "c", "d"]), (2, ["ab", "cd", "ab", "cd"]),
     (3, ["abc", "dab", "cda", "bcd", "abc"]), (4, ["abcd", "abcd"]), (9, ["abcd", "abcd"])],
)
def test_no_camera_starves_when_all_always_wait(clocked, max_batch, batches):
    worker, now = clocked(max_batch)
    for batch in batches:
        for camera in "abcd":
            worker.offer(camera, now[0])
        assert "".join(camera for camera, _ in worker._next_frames()) == batch
        now[0] += 1


def test_a_slow_camera_has_its_turn_beside_fast_ones(clocked):
    worker, now = clocked()
    worker.set_rates(0, {"slow": 0.25})
    taken = []
    for _ in range(12):
        for camera in ("fast", "slow"):
            worker.offer(camera, now[0])
        taken += worker._next_frames()
        now[0] += 1
    assert [moment for camera, moment in taken if camera == "slow"] == [1, 6, 11]
    assert worker.counts["fast"].taken == 9


def test_the_rate_limit_spaces_the_frames_of_each_camera(clocked):
    worker, now = clocked()
    worker.set_rates(2.0, {})
    worker.offer("a", 1)
    assert worker._pause() == 0
    assert worker._next_frames() == [("a", 1)]
    assert worker._pause() is None
    now[0] = 0.1
    worker.offer("a", 2)
    assert worker._pause() == pytest.approx(0.4)
    worker.offer("b", 1)
    assert worker._pause() == 0
    assert worker._next_frames() == [("b", 1)]
    worker.set_rates(0.0, {})
    assert worker._pause() == 0


def test_a_batch_holds_no_frame_before_it_is_due(clocked):
    worker, now = clocked(max_batch=3)
    worker.set_rates(2.0, {"b": 8.0, "c": 0.0})
    for moment, cameras in ((0, "abc"), (0.0625, "c"), (0.125, "cb"), (0.4375, "cb"), (0.5, "ca"), (0.5625, "cb")):
        now[0] = moment
        for camera in "abc":
            worker.offer(camera, moment)
        assert worker._pause() == 0
        assert worker._next_frames() == [(camera, moment) for camera in cameras]


def test_a_new_rate_counts_from_the_last_frame(clocked):
    worker, now = clocked()
    worker.set_rates(0.0, {"a": 0.5})
    worker.offer("a", 1)
    worker._next_frames()
    worker.offer("a", 2)
    for rates, pause in (({"a": 0.5}, 2), ({"a": 4.0}, 0.25), ({"a": 0.0}, 0), ({}, 1), ({"a": 1e-300}, None)):
        worker.set_rates(1.0, rates)
        assert worker._pause() == (threading.TIMEOUT_MAX if pause is None else pause)


@pytest.mark.parametrize(
    "default, rates, sentence",
    [(-1.0, {}, "max_rate is -1.0"), (math.nan, {}, "max_rate is nan"), (math.inf, {}, "max_rate is inf"),
     (1.0, {"a": 1.0, "b": -2.0}, "the rate of camera 'b' is -2.0")],
)
def test_an_impossible_rate_is_refused_and_changes_nothing(clocked, default, rates, sentence):
    worker, _ = clocked(max_batch=2)
    worker.set_rates(2.0, {"a": 4.0})
    with pytest.raises(ValueError, match=sentence):
        worker.set_rates(default, rates)
    for _ in range(2):
        worker.offer("a", 1)
        worker.offer("b", 1)
        if worker._pause() == 0:
            worker._next_frames()
    assert worker._pause() == 0.25


def test_a_paused_worker_ignores_frames_but_not_requests(bench):
    bench.worker.paused = True
    bench.worker.offer("camera", 1)
    bench.submit(lambda: "answer")
    assert bench.answers.get(timeout=WAIT) == "answer"
    assert bench.worker.counts == {}
    bench.worker.paused = False
    bench.worker.offer("camera", 2)
    assert bench.next() == [("camera", 2)]
