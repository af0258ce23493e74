# SPDX-License-Identifier: Apache-2.0
"""Turns and their statistics, on a clock that only the contenders move."""

import pytest
import torch

from clipseg_ros.lab.benchmarking import measure
from clipseg_ros.lab.benchmarking.measure import Contender, Sample, clock_of, ratio, take_turns


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def contender(name, clock, durations, calls, *, preparation=50.0):
    """Takes so long in each call, one duration after the other, and much longer before it."""
    left = iter(durations)

    def prepare():
        clock.now += preparation
        return f"given to {name}"

    def call(given):
        calls.append(given)
        clock.now += next(left)

    return Contender(name, prepare, call)


def test_only_the_calls_of_counted_rounds_are_timed():
    clock, calls, rounds = Clock(), [], []
    contenders = [contender("a", clock, [9, 1, 2, 3, 4], calls), contender("b", clock, [9, 8, 6, 3, 2], calls)]
    samples = take_turns(contenders, repeats=4, clock=clock, on_round=lambda: rounds.append(len(calls)))
    assert samples == {"a": Sample((1, 2, 3, 4)), "b": Sample((8, 6, 3, 2))}
    assert rounds == [2, 4, 6, 8, 10]


def test_each_round_starts_with_another():
    clock, calls = Clock(), []
    contenders = [contender(name, clock, [1] * 5, calls) for name in "abc"]
    take_turns(contenders, repeats=3, warm_up=2, clock=clock)
    assert "".join(call[-1] for call in calls) == "bca" "cab" "abc" "bca" "cab"


def test_statistics():
    sample = Sample((4.0, 1.0, 3.0, 2.0, 10.0))
    assert (sample.median, sample.quartiles) == (3.0, (2.0, 4.0))
    assert (Sample((2.0,)).median, Sample((2.0,)).quartiles) == (2.0, (2.0, 2.0))


def test_the_ratio_is_that_of_the_rounds():
    # A machine that is three times as slow in the middle: the rounds' ratios are 2, 3 and 2.5.
    assert ratio(Sample((1.0, 3.0, 1.0)), Sample((2.0, 9.0, 2.5))) == 2.5


@pytest.mark.parametrize(("names", "repeats", "sentence"), [
    ("ab", 0, "repeats is 0; it must be at least 1"), ("aa", 1, "two contenders have the same name")])
def test_refuses(names, repeats, sentence):
    clock = Clock()
    with pytest.raises(ValueError, match=sentence):
        take_turns([contender(name, clock, [1, 1], []) for name in names], repeats=repeats, clock=clock)


def test_the_clock_of_a_gpu_waits_for_it(monkeypatch):
    happened = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: happened.append(device))
    monkeypatch.setattr(measure.time, "perf_counter", lambda: happened.append("read") or 7.0)
    assert clock_of(torch.device("cuda", 1))() == 7.0
    assert happened == [torch.device("cuda", 1), "read"]
    assert clock_of(torch.device("cpu"))() == 7.0
    assert happened[2:] == ["read"]
