# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import shapes

from clipseg_ros.lab.training.home_stream import HomeStream
from clipseg_ros.lab.training.scene_batches import SceneBatchConfig, SceneBatches


@pytest.fixture
def homes(monkeypatch):
    """Homes that draw flat shapes at once instead of rendering; returns the stocks that were built."""
    built = []

    class Home:
        def __init__(self, stock_seed, *, width, height):
            built.append(stock_seed)
            self.side = height

        def scene(self, seed, *, depth):
            image, ids, objects = shapes.scene(np.random.default_rng(seed), self.side)
            return SimpleNamespace(rgb=image, ids=ids, objects=objects)

        def close(self):
            built.append("closed")

    module = ModuleType("clipseg_ros.lab.scenes.home")
    module.Home = Home
    monkeypatch.setitem(sys.modules, "clipseg_ros.lab.scenes.home", module)
    return built


def stream() -> SceneBatches:
    config = SceneBatchConfig(side=48, batch_size=2, prompts=3, supports=2, whole=1.0)
    return SceneBatches(HomeStream(side=48, seed=5, batches_per_stock=2), config, patch_size=8)


def test_batches_depend_on_their_number_alone(homes):
    batch = stream()[3]
    again = pickle.loads(pickle.dumps(stream()))[3]  # as a worker process gets it
    assert batch.pixels.shape == (2, 3, 48, 48) and len(batch.supports) == 2
    assert np.array_equal(again.pixels, batch.pixels) and again.texts == batch.texts
    assert not np.array_equal(stream()[2].pixels, batch.pixels)


@pytest.mark.parametrize("seed", [0, 99, 100, 12_345])
def test_no_scene_has_the_seed_of_a_measurement(homes, monkeypatch, seed):
    asked = []
    home = sys.modules["clipseg_ros.lab.scenes.home"].Home
    draw = home.scene
    monkeypatch.setattr(home, "scene", lambda self, n, depth: (asked.append(n), draw(self, n, depth=depth))[1])
    stream = HomeStream(side=16, seed=seed)
    for batch in (0, 250_000):
        stream.pick(batch, 2, np.random.default_rng(0))
    seeds = [entry for entry in (*asked, *homes) if entry != "closed"]
    assert len(set(asked)) == 10 and all(900_000_000 <= number < 1_000_000_000 for number in seeds)


def test_a_stock_serves_several_batches_and_is_closed(homes):
    batches = stream()
    for number in range(4):
        batches[number]
    assert homes == [905_000_000, "closed", 905_000_001]
