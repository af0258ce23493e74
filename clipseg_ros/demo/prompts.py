# SPDX-License-Identifier: Apache-2.0
"""What the demonstration looks for, and in which of the recorded scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipseg_ros.lab.scenes.scene import Scene, SceneObject
from clipseg_ros.lab.scenes.vocabulary import AFFORDANCES, CATEGORIES, COLOURS

WANTED = ("something to sit on", "the red cup")
SPARE = (
    "something to sleep on", "something to eat", "the green armchair", "somewhere to put my clothes",
    "something to drink from", "the plant", "the lamp", "the bottle", "the table",
)


@dataclass(frozen=True)
class Task:
    """One prompt, shown one scene.

    text : the prompt; scene : index of the scene; truth (H, W) bool : the pixels that it means, None where unknown.
    """

    text: str
    scene: int
    truth: np.ndarray | None


def plan(scenes: Sequence[Scene], *, count: int = 6) -> list[Task]:
    """Prompts, each with the scene that shows most of what it means; the wanted ones whatever the scenes show."""
    tasks = [_best(text, scenes) or Task(text, 0, np.zeros(scenes[0].ids.shape, bool)) for text in WANTED]
    for text in SPARE:
        task = _best(text, scenes)
        if len(tasks) < count and task is not None:
            tasks.append(task)
    return tasks


def _best(text: str, scenes: Sequence[Scene]) -> Task | None:
    """The scene in which most pixels are meant."""
    masks = [scene.mask(item.id for item in scene.objects if is_meant(item, text)) for scene in scenes]
    areas = [int(mask.sum()) for mask in masks]
    if not any(areas):
        return None
    scene = int(np.argmax(areas))
    return Task(text, scene, masks[scene])


def is_meant(item: SceneObject, text: str) -> bool:
    """Whether a prompt of the form `<affordance>` or `the [colour] <category>` means the object."""
    if text in AFFORDANCES:
        return item.category in AFFORDANCES[text].categories
    colour, _, category = text.removeprefix("the ").partition(" ")
    if colour not in COLOURS or category not in CATEGORIES:
        return item.category == text.removeprefix("the ")
    return (item.colour, item.category) == (colour, category)
