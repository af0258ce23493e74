# SPDX-License-Identifier: Apache-2.0
"""The judge of a memory: what counts as right, once, wrong and missed; a recorded scene seen three times is a tour."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipseg_ros.lab.evaluation.tours import Figures, Question, Tour, TrueMasks, answers, is_moved, judge, remembered
from clipseg_ros.lab.scenes.recorded import load_recorded

CUP, NOTHING = Question("cup", "noun", ("cup",)), Question("drill", "absent")


@pytest.fixture(scope="module")
def tour():
    """The breakfast table, as if the camera had seen it from a metre farther along each time."""
    scene = load_recorded()[1]
    scenes = [replace(scene, rgb=scene.rgb.copy()) for _ in range(3)]
    poses = []
    for step in range(3):
        pose = scene.camera_pose.copy()
        pose[0, 3] += step
        poses.append(pose)
    return Tour(scenes, poses)


def test_questions_are_of_what_is_there_and_of_what_is_not(tour):
    questions = tour.questions(2, np.random.default_rng(0))
    by_type = {kind: [one for one in questions if one.type == kind] for kind in ("noun", "affordance", "absent")}
    assert CUP in by_type["noun"] and len(by_type["absent"]) == 4
    there = {thing.category for thing in tour.things.values()}
    assert not there & {one.text for one in by_type["absent"]}
    assert all(tour.meant(one) for one in (*by_type["noun"], *by_type["affordance"]))


def test_right_ones_count_once_others_are_wrong_and_silence_is_right_for_what_is_not_there(tour):
    network, figures = TrueMasks(tour.scenes, [CUP, NOTHING]), Figures()
    recalled, nothing = answers(remembered(Tour(tour.scenes[:1], tour.poses[:1]), network), [CUP, NOTHING])
    judge(tour, CUP, recalled, figures)
    judge(tour, NOTHING, nothing, figures)
    assert (figures.right, figures.wrong, figures.missed, figures.first, figures.silent) == (2, 0, 0, 1, 1)
    assert figures.f1 == 1 and max(figures.errors) < 0.02
    judge(tour, CUP, [recalled[0]] * 3, figures)
    judge(tour, Question("plate", "noun", ("plate",)), recalled, figures)
    assert (figures.right, figures.wrong, figures.missed, figures.first) == (3, 4, 2, 2)


def test_a_moved_thing_is_told_from_where_it_was_and_from_its_like(tour):
    network = TrueMasks(tour.scenes, [CUP])
    recalled = answers(remembered(Tour(tour.scenes[:1], tour.poses[:1]), network), [CUP])[0]
    here, other = (one.found.pose.position[:2] for one in recalled)
    assert is_moved(recalled, [9, 9], here, [other]) == (True, False)
    assert is_moved(recalled, here, [9, 9], [other]) == (False, True)
    assert is_moved(recalled, [9, 9], here + 0.3, [here, other]) == (False, False)
    assert is_moved([], here, other, []) == (False, False)
