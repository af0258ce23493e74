# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.lab.scenes.sensor import Sensor


@pytest.fixture
def sensor():
    return Sensor(60, 80, np.random.default_rng(0))


def test_colour_noise_has_its_deviation_and_changes(sensor):
    grey = np.full((60, 80, 3), 128, np.uint8)
    first, second = sensor.colour(grey, 5.0), sensor.colour(grey, 5.0)
    assert first.dtype == np.uint8 and first.astype(float).std() == pytest.approx(5.0, rel=0.1)
    assert (first != second).mean() > 0.5


def test_depth_noise_grows_with_the_square_of_the_distance(sensor):
    near, far = (sensor.depth(np.full((60, 80), z, np.float32), 0.002, 0.0) - z for z in (1.0, 3.0))
    assert near.std() == pytest.approx(0.002, rel=0.1) and far.std() == pytest.approx(0.018, rel=0.1)


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_dropout_loses_its_share_of_the_depth(sensor, share):
    lost = np.isnan(np.stack([sensor.depth(np.ones((60, 80), np.float32), 0.0, share) for _ in range(20)]))
    assert lost.mean() == pytest.approx(share, abs=0.05)


def test_without_noise_nothing_changes(sensor):
    rgb, depth = np.full((60, 80, 3), 9, np.uint8), np.full((60, 80), np.nan, np.float32)
    assert (sensor.colour(rgb, 0.0) == 9).all() and np.isnan(sensor.depth(depth, 0.01, 0.0)).all()
