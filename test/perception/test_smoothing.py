# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipseg_ros.perception.smoothing import PoseSmoother

HERE = np.array([1.0, 2.0, 3.0])
AXES = {name: index for index, name in enumerate("xyz")}


def turn(axis: str, degrees: float) -> np.ndarray:
    """(4,) the quaternion x y z w of a turn about an axis."""
    quaternion = np.zeros(4)
    quaternion[AXES[axis]], quaternion[3] = math.sin(math.radians(degrees / 2)), math.cos(math.radians(degrees / 2))
    return quaternion


def angle(one: np.ndarray, other: np.ndarray) -> float:
    """Degrees between two orientations."""
    return math.degrees(2 * math.acos(min(abs(float(one @ other)), 1.0)))


@pytest.mark.parametrize(("weight", "positions"), [
    (1.0, (0.0, 1.0, 1.0, 0.0)),
    (0.5, (0.0, 0.5, 0.75, 0.375)),
    (0.25, (0.0, 0.25, 0.4375, 0.328125)),
])
def test_positions_by_hand(weight, positions):
    smoother = PoseSmoother(weight=weight)
    measured = (0.0, 1.0, 1.0, 0.0)
    found = [smoother.smooth(7, np.array([x, -x, 2.0]), turn("z", 0))[0] for x in measured]
    assert found == [pytest.approx((x, -x, 2.0)) for x in positions]


@pytest.mark.parametrize("axis", "xyz")
@pytest.mark.parametrize("sign", [1, -1])
def test_half_of_a_turn_either_way_it_is_written(axis, sign):
    smoother = PoseSmoother(weight=0.5)
    smoother.smooth(1, HERE, turn(axis, 10))
    orientation = smoother.smooth(1, HERE, sign * turn(axis, 50))[1]
    assert angle(orientation, turn(axis, 30)) == pytest.approx(0, abs=1e-5)
    assert np.linalg.norm(orientation) == pytest.approx(1)


def test_a_quarter_of_a_turn_leans_to_the_old_one():
    smoother = PoseSmoother(weight=0.25)
    smoother.smooth(1, HERE, turn("y", 0))
    # 0.75 (0, 1) + 0.25 (sin 45, cos 45) has the tangent 0.17678 / 0.92678
    expected = 2 * math.degrees(math.atan2(0.25 * math.sqrt(0.5), 0.75 + 0.25 * math.sqrt(0.5)))
    assert angle(smoother.smooth(1, HERE, turn("y", 90))[1], turn("y", expected)) == pytest.approx(0, abs=1e-5)


def test_an_x_axis_that_turns_over_is_not_averaged_to_lie_across():
    smoother = PoseSmoother(weight=0.5)
    angles = [85, -85, 88, -87, 86, -90]
    results = [smoother.smooth(1, HERE, turn("z", degrees))[1] for degrees in angles]
    for orientation in results:
        assert min(angle(orientation, turn("z", 90)), angle(orientation, turn("z", -90))) < 6


def test_a_tilted_x_axis_that_turns_over():
    # half a turn about its own z axis comes first
    tilted = turn("y", 40)
    x, y, z, w = tilted
    smoother = PoseSmoother(weight=0.3)
    smoother.smooth(1, HERE, tilted)
    orientation = smoother.smooth(1, HERE, np.array([y, -x, w, -z]))[1]
    assert orientation == pytest.approx(tilted)


@pytest.mark.parametrize(("track_id", "weight"), [(0, 0.1), (5, 1.0)])
def test_nothing_is_changed_without_a_number_or_with_all_weight_on_the_new(track_id, weight):
    smoother = PoseSmoother(weight=weight)
    for x, degrees in ((0.0, 0), (4.0, 170), (-1.0, -170)):
        position, orientation = smoother.smooth(track_id, np.array([x, 0.0, 1.0]), turn("z", degrees))
        assert position.tolist() == [x, 0.0, 1.0]
        assert orientation == pytest.approx(turn("z", degrees))
    assert len(smoother) == 0


def test_every_object_has_its_own_past():
    smoother = PoseSmoother(weight=0.5)
    smoother.smooth(1, np.zeros(3), turn("z", 0))
    assert smoother.smooth(2, np.ones(3), turn("z", 40))[0].tolist() == [1, 1, 1]
    assert smoother.smooth(1, np.ones(3), turn("z", 0))[0].tolist() == [0.5, 0.5, 0.5]


def test_forgotten_objects_start_again():
    smoother = PoseSmoother(weight=0.5)
    for number in range(1, 5):
        smoother.smooth(number, np.zeros(3), turn("z", 0))
    smoother.forget(number for number in (2, 4, 9))
    assert len(smoother) == 2
    assert smoother.smooth(2, np.ones(3), turn("z", 0))[0].tolist() == [0.5, 0.5, 0.5]
    assert smoother.smooth(3, np.ones(3), turn("z", 0))[0].tolist() == [1, 1, 1]


def test_what_a_caller_does_with_a_result_is_no_past():
    smoother = PoseSmoother(weight=0.5)
    measured = np.zeros(3), turn("z", 0)
    position, orientation = smoother.smooth(1, *measured)
    for array in (position, orientation, *measured):
        array[:] = 9
    position, orientation = smoother.smooth(1, np.ones(3), turn("z", 0))
    assert position.tolist() == [0.5, 0.5, 0.5]
    assert orientation.tolist() == [0, 0, 0, 1]


@given(st.lists(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: math.hypot(*q) > 0.1), min_size=1, max_size=6),
       st.floats(1e-3, 1))
@settings(max_examples=80, deadline=None)
def test_any_orientations_give_a_unit_quaternion(quaternions, weight):
    smoother = PoseSmoother(weight=weight)
    for quaternion in quaternions:
        orientation = smoother.smooth(3, HERE, np.array(quaternion) / math.hypot(*quaternion))[1]
        assert np.linalg.norm(orientation) == pytest.approx(1)


def test_opposite_orientations_have_a_middle():
    smoother = PoseSmoother(weight=0.5)
    smoother.smooth(1, HERE, turn("z", 0))
    orientation = smoother.smooth(1, HERE, turn("x", 180))[1]
    assert angle(orientation, turn("x", 0)) == pytest.approx(90)


@pytest.mark.parametrize("weight", [0.0, -0.1, 1.1, math.nan])
def test_a_wrong_weight_is_named(weight):
    with pytest.raises(ValueError, match="must be above 0 and at most 1"):
        PoseSmoother(weight=weight)


@pytest.mark.parametrize("track_id", [0, 1])
@pytest.mark.parametrize(("position", "orientation", "sentence"), [
    ((1.0, 2.0), (0, 0, 0, 1), "three finite numbers"),
    ((1.0, math.nan, 2.0), (0, 0, 0, 1), "three finite numbers"),
    ((1.0, 2.0, 3.0), (0, 0, 0, 0), "of length 1"),
    ((1.0, 2.0, 3.0), (0, 0, 1, 1), "of length 1"),
    ((1.0, 2.0, 3.0), (math.nan, 0, 0, 1), "of length 1"),
    ((1.0, 2.0, 3.0), (0, 0, 1), "quaternion x y z w"),
])
def test_a_pose_that_is_none_is_refused(track_id, position, orientation, sentence):
    with pytest.raises(ValueError, match=sentence):
        PoseSmoother(weight=0.5).smooth(track_id, np.array(position), np.array(orientation))


def test_a_quaternion_of_single_precision_is_made_exact():
    orientation = PoseSmoother(weight=0.5).smooth(1, HERE, turn("x", 33).astype(np.float32))[1]
    assert orientation.dtype == np.float64
    assert abs(np.linalg.norm(orientation) - 1) < 1e-12
