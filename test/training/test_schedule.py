# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from clipseg_ros.training.schedule import Budget, learning_rate

PAPER = {"peak": 1e-3, "floor": 1e-4, "warmup": 0.0}


@pytest.mark.parametrize("progress, rate", [(0.0, 1e-3), (0.5, 5.5e-4), (1.0, 1e-4), (1.5, 1e-4)])
def test_cosine_from_peak_to_floor(progress, rate):
    assert learning_rate(progress, **PAPER) == pytest.approx(rate)


@pytest.mark.parametrize("progress, rate", [(0.0, 1e-5), (0.05, 5e-4), (0.1, 1e-3), (0.55, 5.5e-4), (1.0, 1e-4)])
def test_linear_warm_up(progress, rate):
    assert learning_rate(progress, peak=1e-3, floor=1e-4, warmup=0.1) == pytest.approx(rate)


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
