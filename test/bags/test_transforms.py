# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rosbags")
from recordings import ROS2, transform  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

from clipseg_ros.bags.transforms import KEPT, TransformTree  # noqa: E402

SECOND = 10**9


def tree(*sent) -> TransformTree:
    made = TransformTree()
    for one in sent:
        made.add(one.make(ROS2.types), static=one.topic == "/tf_static")
    return made


def turned(degrees: float) -> tuple[float, ...]:
    return tuple(Rotation.from_euler("z", degrees, degrees=True).as_quat())


ROBOT = (transform("base", "camera", (0.0, 0.0, 1.0), 0, static=True),
         transform("map", "base", (0.0, 0.0, 0.0), 10 * SECOND, turn=turned(0)),
         transform("map", "base", (4.0, 0.0, 0.0), 12 * SECOND, turn=turned(90)),
         transform("/map", "/door", (9.0, 0.0, 0.0), 0, static=True))


@pytest.mark.parametrize(("target", "source", "seconds", "point"), [
    ("base", "camera", 0, (1, 0, 1)), ("camera", "base", 0, (1, 0, -1)), ("camera", "camera", 0, (1, 0, 0)),
    ("map", "base", 10, (1, 0, 0)), ("map", "base", 12, (4, 1, 0)),
    ("map", "base", 11, (2 + 0.5**0.5, 0.5**0.5, 0)), ("map", "camera", 11, (2 + 0.5**0.5, 0.5**0.5, 1)),
    ("base", "map", 12, (0, 3, 0)), ("door", "camera", 10, (-8, 0, 1)),
])
def test_where_a_point_one_metre_ahead_is(target, source, seconds, point):
    found = tree(*ROBOT).look_up(target, source, seconds * SECOND).apply(np.array([[1.0, 0.0, 0.0]]))[0]
    np.testing.assert_allclose(found, point, atol=1e-12)


@pytest.mark.parametrize(("target", "source", "seconds", "says"), [
    ("map", "base", 9, "base was to map from 10.000 to 12.000 s, and the image is of 9.000 s"),
    ("map", "camera", 13, "the image is of 13.000 s"),
    ("world", "camera", 10, "have no frame world; there are base, camera, door, map"),
    ("map", "gripper", 10, "have no frame gripper"),
])
def test_what_is_not_known_is_a_sentence(target, source, seconds, says):
    with pytest.raises(ValueError, match=says):
        tree(*ROBOT).look_up(target, source, seconds * SECOND)


def test_two_trees_and_none():
    two = tree(transform("a", "b", (0, 0, 0), 0, static=True), transform("c", "d", (0, 0, 0), 0, static=True))
    with pytest.raises(ValueError, match="do not connect b with d"):
        two.look_up("d", "b", 0)
    with pytest.raises(ValueError, match="has no transforms"):
        tree().look_up("map", "base", 0)


def test_late_transforms_find_their_place_and_old_ones_go():
    steps = [0, 1, 3, 2, 2, *range(4, 100)]
    made = tree(*(transform("map", "base", (float(step), 0.0, 0.0), step * SECOND) for step in steps))
    assert made.look_up("map", "base", 85 * SECOND + SECOND // 2).translation[0] == pytest.approx(85.5)
    with pytest.raises(ValueError, match="base was to map from "):
        made.look_up("map", "base", int((99 - 2 * KEPT - 1) * SECOND))
    made = tree(*(transform("map", "base", (float(step), 0.0, 0.0), step * SECOND) for step in (0, 1, 3, 2, 2)))
    assert made.look_up("map", "base", 5 * SECOND // 2).translation[0] == pytest.approx(2.5)


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0, 0.0), (np.nan, 0.0, 0.0, 1.0)])
def test_faulty_numbers_are_left_out(turn):
    made = tree(*ROBOT, transform("map", "base", (0.0, 0.0, 0.0), 11 * SECOND, turn=turn))
    assert made.look_up("map", "base", 11 * SECOND).translation[0] == pytest.approx(2.0)


def test_a_loop_ends():
    loop = tree(transform("a", "b", (0, 0, 0), 0, static=True), transform("b", "a", (0, 0, 0), 0, static=True))
    with pytest.raises(ValueError, match="no frame c"):
        loop.look_up("c", "a", 0)
