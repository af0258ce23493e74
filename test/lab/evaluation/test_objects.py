# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.lab.evaluation.objects import Outcome, boundary, boundary_f, iou, judge, match
from clipseg_ros.lab.scenes.scene import SceneObject
from clipseg_ros.perception.regions import region_of

IDS = np.zeros((60, 80), np.uint8)
IDS[10:30, 10:30], IDS[10:30, 40:60], IDS[50:52, 70:72] = 1, 2, 3
THINGS = tuple(SceneObject(number, "cup", None, "", (0.1, 0.1, 0.1), (0.5 * number, 0.0, 1.0), 400, nameable=number < 3)
               for number in (1, 2, 3))


def box(x: int, y: int, width: int, height: int):
    return region_of(np.full((height, width), 255, np.uint8), (x, y), 0.9)


def judged(*regions, meant=THINGS, positions=None) -> Outcome:
    mask = np.isin(IDS, [thing.id for thing in meant])
    return judge(regions, positions or [None] * len(regions), mask, IDS, meant)


def test_each_thing_is_found_once():
    assert match([box(10, 10, 20, 20), box(10, 10, 20, 21), box(40, 10, 20, 9)], IDS, THINGS) == [1, None, None]
    assert match([box(10, 10, 50, 20)], IDS, THINGS) == [None], "two in one box are neither"
    assert match([], IDS, THINGS) == [] and match([box(0, 0, 5, 5)], IDS, ()) == [None]


def test_right_wrong_and_missed():
    found = judged(box(12, 10, 20, 20), box(65, 40, 4, 4))
    assert (found.right, found.wrong, found.missed, found.found) == (1, 1, 1, 2)
    assert found.f1 == found.precision == found.recall == 0.5
    assert found.first_right == found.asked == 1 and not judged(box(65, 40, 4, 4), box(12, 10, 20, 20)).first_right


def test_what_nobody_would_point_out_is_neither_right_nor_wrong():
    found = judged(box(70, 50, 2, 2))
    assert (found.right, found.wrong, found.missed) == (0, 0, 2)


def test_an_absent_prompt_has_only_wrong_objects():
    found = judged(box(10, 10, 20, 20), meant=())
    assert (found.wrong, found.asked, found.questions, found.iou) == (1, 0, 1, 0)
    assert np.isnan(Outcome().f1)


def test_poses_near_the_things():
    near, far = np.array([0.5, 0.02, 1.0]), np.array([0.5, 0.1, 1.0])
    found = judged(box(10, 10, 20, 20), box(40, 10, 20, 20), positions=[near, far])
    assert (found.near, found.good_poses, found.poses, found.near_share) == (1, 1, 2, 0.5)
    assert judged(box(10, 10, 20, 20)).poses == 0


def test_sums():
    one = judged(box(10, 10, 20, 20))
    assert Outcome.sum_of([one, one]).right == 2 and Outcome.sum_of([]).right == 0
    assert len(one.as_array()) == 12


def test_overlap_of_masks():
    assert iou(IDS > 0, IDS == 1) == pytest.approx(400 / 804) and iou(IDS > 9, IDS > 9) == 0


@pytest.mark.parametrize(("moved", "agreed"), [(0, 1.0), (2, 1.0), (10, 0.3)])
def test_boundaries_agree_within_two_pixels(moved, agreed):
    one = np.zeros((60, 80), bool)
    one[10:30, 10 + moved:30 + moved] = True
    found = boundary_f(one, IDS == 1)
    assert found == 1.0 if agreed == 1.0 else 0.1 < found < 0.8


def test_the_rim_of_the_picture_is_no_boundary():
    assert not boundary(np.ones((5, 5), bool)).any()
    assert boundary(np.eye(5, dtype=bool)).sum() == 5
