# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.demo.prompts import SPARE, WANTED, is_meant, plan
from clipseg_ros.lab.scenes.recorded import load_recorded
from clipseg_ros.lab.scenes.scene import Scene, SceneObject
from clipseg_ros.lab.scenes.vocabulary import CATEGORIES, COLOURS


def thing(number, category, colour=None):
    return SceneObject(id=number, category=category, colour=colour, model="shape/x", size=(0.1, 0.1, 0.1))


def scene(*objects):
    """Object n covers n pixels of its own."""
    ids = np.zeros((4, 8), np.uint8)
    ids.ravel()[:sum(item.id for item in objects)] = np.repeat([item.id for item in objects],
                                                                [item.id for item in objects])
    return Scene(np.zeros((4, 8, 3), np.uint8), None, ids, np.eye(3), np.eye(4), objects)


@pytest.mark.parametrize("item, text, expected", [
    (thing(1, "chair"), "something to sit on", True),
    (thing(1, "cup", "red"), "something to sit on", False),
    (thing(1, "cup", "red"), "the red cup", True),
    (thing(1, "cup", "blue"), "the red cup", False),
    (thing(1, "bottle", "red"), "the red cup", False),
    (thing(1, "plant"), "the plant", True),
    (thing(1, "teddy bear", "brown"), "the teddy bear", True),
])
def test_what_a_prompt_means(item, text, expected):
    assert is_meant(item, text) == expected


@pytest.mark.parametrize("text", [*WANTED, *SPARE])
def test_every_prompt_means_something_of_the_vocabulary(text):
    assert any(is_meant(thing(1, category, colour), text) for category in CATEGORIES for colour in (None, *COLOURS))


def test_each_prompt_gets_the_scene_that_shows_most_of_it():
    scenes = [scene(thing(1, "chair"), thing(3, "plant")), scene(thing(2, "sofa"), thing(4, "cup", "red"))]
    tasks = {task.text: task for task in plan(scenes)}
    assert tasks["something to sit on"].scene == 1
    assert tasks["something to sit on"].truth.sum() == 2
    assert (tasks["the plant"].scene, tasks["the plant"].truth.sum()) == (0, 3)


def test_what_no_scene_shows_has_an_empty_truth():
    tasks = plan([scene(thing(1, "plant"))])
    assert [task.text for task in tasks[:2]] == list(WANTED)
    assert not tasks[0].truth.any() and not tasks[1].truth.any()


def test_the_recorded_scenes_show_all_of_them_two_in_each_of_three():
    tasks = plan(load_recorded())
    assert sorted(task.scene for task in tasks) == [0, 0, 1, 1, 2, 2]
    assert all(task.truth.sum() > 1000 for task in tasks)
