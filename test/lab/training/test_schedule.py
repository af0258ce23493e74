# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from clipseg_ros.lab.training.schedule import Budget, learning_rate, value_at

PAPER = {"peak": 1e-3, "floor": 1e-4, "warmup": 0.0}


@pytest.mark.parametrize("progress, rate", [(0.0, 1e-3), (0.5, 5.5e-4), (1.0, 1e-4), (1.5, 1e-4)])
def test_cosine_from_peak_to_floor(progress, rate):
    assert learning_rate(progress, **PAPER) == pytest.approx(rate)


@pytest.mark.parametrize("progress, rate", [(0.0, 1e-5), (0.05, 5e-4), (0.1, 1e-3), (0.55, 5.5e-4), (1.0, 1e-4)])
def test_linear_warm_up(progress, rate):
    assert learning_rate(progress, peak=1e-3, floor=1e-4, warmup=0.1) == pytest.approx(rate)


def test_settings_hold_until_the_next_one():
    steps = [[0.0, 0.5], [0.4, 0.25], [0.75, 0.0]]
    assert [value_at(steps, progress) for progress in (0.0, 0.39, 0.4, 0.74, 0.75, 1.0)] == [0.5, 0.5, 0.25, 0.25, 0, 0]
    assert value_at(0.3, 0.9) == 0.3
    with pytest.raises(ValueError, match="first entry must be"):
        value_at([[0.1, 0.5]], 0.0)


def test_the_further_of_iterations_and_minutes_counts():
    now = [100.0]
    budget = Budget(200, 2.0, elapsed=30.0, clock=lambda: now[0])
    assert budget.progress(10) == pytest.approx(0.25)  # 30 of 120 seconds, 10 of 200 iterations
    now[0] += 30.0
    assert budget.progress(10) == pytest.approx(0.5)
    assert budget.progress(190) == pytest.approx(0.95)
    assert budget.progress(400) == 1.0


def test_a_run_needs_an_end():
    with pytest.raises(ValueError, match="needs an end"):
        Budget(None, None)
