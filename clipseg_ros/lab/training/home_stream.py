# SPDX-License-Identifier: Apache-2.0
"""Scenes of the simulated home, rendered while training; needs MuJoCo and the furniture package."""

from __future__ import annotations

import atexit

import cv2
import numpy as np

from clipseg_ros.lab.scenes.vocabulary import CATEGORIES
from clipseg_ros.lab.training.scene_store import ScenePart, StoredObject

_FIRST_SEED = 900_000_000  # apart from the seeds of rendered folders and of measurements
_SEEDS_PER_RUN = 1_000_000
_SEEDS = 100_000_000  # then they start again, before those of measurements
_SPARE = 3


class HomeStream:
    """Every scene is seen once: batch i renders its own, from seeds that belong to it alone.

    Parameters
    ----------
    side : of the pictures in pixels; they are rendered at 4:3 and squashed, as a camera's are
    batches_per_stock : how many batches share a stock of furniture, which takes 1-2 seconds to build
    """

    categories = sorted(CATEGORIES)

    def __init__(self, *, side: int, seed: int = 0, batches_per_stock: int = 8) -> None:
        self._side = side
        self._seed = seed * _SEEDS_PER_RUN
        self._per_stock = batches_per_stock
        self._home = None
        self._stock: int | None = None
        self._spare: list[ScenePart] = []

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_home": None, "_stock": None, "_spare": []}

    def pick(self, batch: int, count: int, rng: np.random.Generator) -> list[ScenePart]:
        """Render the `count` scenes of this batch, and a few more to take support pictures from."""
        home = self._home_of(batch // self._per_stock)
        first = self._seed + batch * (count + _SPARE)
        seeds = [_training_seed(first + number) for number in range(count + _SPARE)]
        views = [self._view(home.scene(seed, depth=False)) for seed in seeds]
        self._spare = views[count:]
        return views[:count]

    def instance(self, rng: np.random.Generator) -> tuple[str, np.ndarray, np.ndarray] | None:
        """A random object of the scenes that the last batch kept for this: category, picture, mask (H, W) bool."""
        items = [(view, item) for view in self._spare for item in view.objects if item.nameable]
        if not items:
            return None
        view, item = items[int(rng.integers(len(items)))]
        return item.category, view.image, view.ids == item.id

    def _home_of(self, stock: int):
        if stock != self._stock:
            from clipseg_ros.lab.scenes.home import Home

            if self._home is not None:
                atexit.unregister(self._home.close)
                self._home.close()
            self._home = Home(_training_seed(self._seed + stock), width=round(self._side * 4 / 3), height=self._side)
            self._stock = stock
            atexit.register(self._home.close)  # before the modules that it needs are gone
        return self._home

    def _view(self, scene) -> ScenePart:
        size = (self._side, self._side)
        image = cv2.resize(scene.rgb, size, interpolation=cv2.INTER_AREA)
        ids = cv2.resize(scene.ids, size, interpolation=cv2.INTER_NEAREST)
        objects = [
            StoredObject(item.id, item.category, item.colour, item.nameable, item.centroid) for item in scene.objects
        ]
        return ScenePart(image, ids, objects)


def _training_seed(number: int) -> int:
    return _FIRST_SEED + number % _SEEDS
