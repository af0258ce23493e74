# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from clipseg_ros.lab.evaluation.intervals import interval_of_mean


def test_as_wide_as_the_standard_error_says():
    values = np.random.default_rng(1).normal(0.6, 0.3, 900)
    found = interval_of_mean(values, [str(number) for number in range(900)])
    error = 1.96 * values.std() / 30
    assert found["low"] == pytest.approx(values.mean() - error, abs=0.002)
    assert found["high"] == pytest.approx(values.mean() + error, abs=0.002)


def test_prompts_of_one_picture_say_no_more_than_one():
    values = np.random.default_rng(1).uniform(size=50)
    pictures = [str(number) for number in range(50)]
    alone = interval_of_mean(values, pictures)
    assert interval_of_mean(np.repeat(values, 4), np.repeat(pictures, 4)) == pytest.approx(alone)


def test_one_picture_says_nothing_about_others():
    assert interval_of_mean([0.1, 0.9], ["a", "a"]) is None and interval_of_mean([], []) is None
