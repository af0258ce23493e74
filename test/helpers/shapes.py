# SPDX-License-Identifier: Apache-2.0
"""Scenes of flat coloured shapes under the home's names: what a tiny network learns within seconds."""

from __future__ import annotations

import cv2
import numpy as np

from clipseg_ros.lab.datasets.folder import FolderWriter
from clipseg_ros.lab.training.scene_store import SceneStore, StoredObject

COLOURS = {"red": (210, 30, 30), "green": (40, 160, 50), "blue": (40, 60, 200), "yellow": (230, 210, 40)}
SHAPES = ("ball", "box", "lamp", "book")


def draw(category: str, centre: tuple[int, int], radius: int, side: int) -> np.ndarray:
    """Mask (side, side) uint8 of a ball (disc), box (square), lamp (triangle) or book (flat rectangle)."""
    mask = np.zeros((side, side), np.uint8)
    x, y = centre
    if category == "ball":
        cv2.circle(mask, centre, radius, 1, -1)
    elif category == "box":
        cv2.rectangle(mask, (x - radius, y - radius), (x + radius, y + radius), 1, -1)
    elif category == "lamp":
        cv2.fillPoly(mask, [np.array([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)])], 1)
    else:
        cv2.rectangle(mask, (x - radius, y - radius // 3), (x + radius, y + radius // 3), 1, -1)
    return mask


def scene(rng: np.random.Generator, side: int):
    """A picture (side, side, 3), its ids (side, side), both uint8, and its objects."""
    image = np.full((side, side, 3), rng.integers(90, 200, 3), np.uint8)
    ids = np.zeros((side, side), np.uint8)
    objects = []
    for number in range(1, int(rng.integers(2, 4)) + 1):
        category, colour = str(rng.choice(SHAPES)), str(rng.choice(list(COLOURS)))
        radius = int(rng.integers(side // 8, side // 5))
        centre = tuple(int(v) for v in rng.integers(radius, side - radius, 2))
        mask = draw(category, centre, radius, side).astype(bool)
        image[mask], ids[mask] = COLOURS[colour], number
        objects.append(StoredObject(number, category, colour, centroid=(0.0, 0.0, float(number))))
    return image, ids, objects


def store(count: int, *, side: int = 64, seed: int = 0) -> SceneStore:
    """``count`` scenes in memory."""
    rng = np.random.default_rng(seed)
    images, ids, objects = zip(*(scene(rng, side) for _ in range(count)))
    return SceneStore(np.stack(images), np.stack(ids), list(objects))


def write_scenes(directory, count: int, *, side: int = 64, seed: int = 0) -> None:
    """``count`` scenes as a folder such as `clipseg scenes` writes."""
    scenes = store(count, side=side, seed=seed)
    with FolderWriter(directory) as folder:
        for image, ids, objects in zip(scenes.images, scenes.ids, scenes.objects):
            name = folder.add_image(image)
            listed = [
                {
                    "id": item.id,
                    "category": item.category,
                    "colour": item.colour,
                    "model": "",
                    "size": [1.0, 1.0, 1.0],
                    "centroid": list(item.centroid),
                }
                for item in objects
            ]
            folder.add_scene(name, ids=ids, objects=listed)
