# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from clipseg_ros.perception.transforms import Transform, matrices_to_quaternions

HALF = math.sqrt(0.5)
QUARTER_ABOUT_Z = (0.0, 0.0, HALF, HALF)
OPTICAL_TO_BODY = (-0.5, 0.5, -0.5, 0.5)
"""REP 103: the optical frame's z is the body's x (forward), its x the body's -y, its y the body's -z."""
RANDOM = [four / np.linalg.norm(four) for four in np.random.default_rng(7).normal(size=(50, 4))]
HALF_TURNS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (-1, 1, 0), (0, 1, -1), (1, 1, 1), (1, -2, 3), (1e-9, 1, 0)]
NEARLY = [math.pi - 1e-12, math.pi - 1e-6, math.pi + 1e-9, 1e-12, 1e-6]


def random_transforms(count: int) -> list[Transform]:
    shifts = np.random.default_rng(3).normal(size=(count, 3))
    return [Transform.from_quaternion(shift, turn) for shift, turn in zip(shifts, RANDOM)]


@pytest.mark.parametrize(("rotation", "point", "moved"), [
    ((0, 0, 0, 1), (1, 2, 3), (1, 2, 3)),
    (QUARTER_ABOUT_Z, (1, 0, 0), (0, 1, 0)),
    (QUARTER_ABOUT_Z, (0, 1, 5), (-1, 0, 5)),
    ((HALF, 0, 0, HALF), (0, 1, 0), (0, 0, 1)),
    ((0, HALF, 0, HALF), (0, 0, 1), (1, 0, 0)),
    ((0, 0, 1, 0), (1, 2, 3), (-1, -2, 3)),
    (OPTICAL_TO_BODY, (0.1, 0.2, 3.0), (3.0, -0.1, -0.2)),
    ((0, 0, -2 * HALF, -2 * HALF), (1, 0, 0), (0, 1, 0)),
])
def test_hand_worked_rotations(rotation, point, moved):
    transform = Transform.from_quaternion((10, 20, 30), rotation)
    assert transform.matrix @ point == pytest.approx(np.array(moved))
    rotated = transform.apply(np.array([point, point]))
    assert rotated == pytest.approx(np.array([moved, moved]) + (10, 20, 30))


def test_matrices_come_back_as_quaternions_with_a_positive_real_part():
    found = matrices_to_quaternions(np.array([Transform(np.zeros(3), quaternion).matrix for quaternion in RANDOM]))
    assert found.shape == (len(RANDOM), 4) and (found[:, 3] >= 0).all()
    for quaternion, same in zip(RANDOM, found):
        assert same == pytest.approx(quaternion if quaternion[3] >= 0 else -quaternion, abs=1e-14)


def test_no_matrices_are_no_quaternions():
    assert matrices_to_quaternions(np.zeros((0, 3, 3))).shape == (0, 4)


@pytest.mark.parametrize(("left", "right", "product"), [
    ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)),
    ((0, 1, 0, 0), (1, 0, 0, 0), (0, 0, -1, 0)),
    ((0, 0, 1, 0), (0, 0, 1, 0), (0, 0, 0, -1)),
    (QUARTER_ABOUT_Z, QUARTER_ABOUT_Z, (0, 0, 1, 0)),
    ((0.1, 0.5, 0.5, 0.7), (0, 0, 0, 1), (0.1, 0.5, 0.5, 0.7)),
])
def test_hand_worked_products(left, right, product):
    both = Transform.from_quaternion((0, 0, 0), left) @ Transform.from_quaternion((0, 0, 0), right)
    assert abs(both.rotation @ product) == pytest.approx(1.0, abs=1e-14)  # a quaternion and its negative are one turn


@pytest.mark.parametrize("axis", HALF_TURNS)
@pytest.mark.parametrize("angle", [math.pi, *NEARLY])
def test_half_turns_and_tiny_turns_come_back(axis, angle):
    axis = np.array(axis) / np.linalg.norm(axis)
    matrix = Rotation.from_rotvec(angle * axis).as_matrix()
    quaternion = matrices_to_quaternions(matrix[None])[0]
    assert quaternion[3] >= 0 and np.linalg.norm(quaternion) == pytest.approx(1, abs=1e-15)
    assert Transform(np.zeros(3), quaternion).matrix == pytest.approx(matrix, abs=1e-14)


@pytest.mark.parametrize("diagonal", [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
def test_exact_half_turns_are_exact(diagonal):
    expected = [float(entry > 0) for entry in diagonal] + [0.0] if sum(diagonal) < 3 else [0.0, 0.0, 0.0, 1.0]
    assert matrices_to_quaternions(np.diag(diagonal)[None].astype(float)).tolist() == [expected]


def test_a_longer_quaternion_is_normalised():
    transform = Transform.from_quaternion((1, 2, 3), (0, 0, 3, 4))
    assert transform.rotation == pytest.approx(np.array([0, 0, 0.6, 0.8]))
    assert (transform.translation.dtype, transform.rotation.dtype) == (np.float64, np.float64)


@pytest.mark.parametrize(("translation", "rotation", "says"), [
    ((0, 0, 0), (0, 0, 0, 0), "the quaternion is .*not all of them zero"),
    ((0, 0, 0), (0, 0, 0, 1e-12), "the quaternion is"),
    ((0, 0, 0), (0, 0, math.nan, 1), "the quaternion is .*nan.*four finite numbers"),
    ((0, 0, 0), (math.inf, 0, 0, 1), "the quaternion is .*inf"),
    ((0, 0, 0), (0, 0, 1), "the quaternion is"),
    ((0, math.nan, 0), (0, 0, 0, 1), "the translation is .*three finite numbers"),
    ((0, 0), (0, 0, 0, 1), "the translation is"),
])
def test_numbers_that_are_no_transform_are_refused(translation, rotation, says):
    with pytest.raises(ValueError, match=says):
        Transform.from_quaternion(translation, rotation)


@pytest.mark.parametrize("points", [np.zeros(3), np.zeros((2, 4)), np.zeros((1, 2, 3))])
def test_points_of_another_shape_are_refused(points):
    with pytest.raises(ValueError, match=r"the shape .*; they must be \(n, 3\)"):
        Transform.identity().apply(points)


def test_no_points_stay_no_points():
    assert Transform.from_quaternion((1, 2, 3), QUARTER_ABOUT_Z).apply(np.zeros((0, 3))).shape == (0, 3)


def test_a_pose_is_carried_from_the_camera_to_the_base():
    base_from_camera = Transform.from_quaternion((0.2, 0.0, 1.5), OPTICAL_TO_BODY)
    facing_the_camera = Transform.from_quaternion((0.1, 0.3, 2.0), (0, 1, 0, 0))
    pose = base_from_camera @ facing_the_camera
    assert pose.translation == pytest.approx((2.2, -0.1, 1.2))
    assert pose.matrix[:, 2] == pytest.approx((-1, 0, 0), abs=1e-15)
    assert pose.matrix[:, 0] == pytest.approx((0, 1, 0), abs=1e-15)


def test_composing_is_applying_one_after_the_other_and_associative():
    points = np.random.default_rng(1).normal(size=(7, 3))
    transforms = random_transforms(30)
    for a, b, c in zip(transforms, transforms[1:], transforms[2:]):
        one_by_one = a.apply(b.apply(c.apply(points)))
        assert ((a @ b) @ c).apply(points) == pytest.approx(one_by_one, abs=1e-13)
        assert a.compose(b.compose(c)).apply(points) == pytest.approx(one_by_one, abs=1e-13)


def test_the_inverse_undoes():
    points = np.random.default_rng(1).normal(size=(7, 3))
    for transform in random_transforms(30):
        assert transform.inverse().apply(transform.apply(points)) == pytest.approx(points, abs=1e-14)
        for undone in (transform @ transform.inverse(), transform.inverse() @ transform):
            assert undone.translation == pytest.approx(np.zeros(3), abs=1e-14)
            assert undone.matrix == pytest.approx(np.eye(3), abs=1e-14)


def test_a_long_chain_stays_a_rotation():
    chain = Transform.identity()
    for transform in random_transforms(50) * 20:
        chain = chain @ Transform(np.zeros(3), transform.rotation)
    assert np.linalg.norm(chain.rotation) == pytest.approx(1, abs=1e-15)


def test_a_quarter_turn_swaps_variances():
    covariance = np.diag([1.0, 4.0, 9.0, 0.1, 0.2, 0.3])
    covariance[0, 4] = covariance[4, 0] = 0.5
    turned = Transform.from_quaternion((7, 8, 9), QUARTER_ABOUT_Z).rotate_covariance(covariance)
    expected = np.diag([4.0, 1.0, 9.0, 0.2, 0.1, 0.3])
    expected[1, 3] = expected[3, 1] = -0.5
    assert turned == pytest.approx(expected, abs=1e-14)


def test_the_covariance_of_a_moved_cloud_is_the_rotated_covariance():
    generator = np.random.default_rng(5)
    cloud = generator.normal(size=(300, 6)) @ generator.normal(size=(6, 6)) * (3, 1, 0.2, 0.1, 0.02, 0.5)
    for transform in random_transforms(10):
        moved = np.hstack([transform.apply(cloud[:, :3]), cloud[:, 3:] @ transform.matrix.T])
        rotated = transform.rotate_covariance(np.cov(cloud.T))
        assert rotated == pytest.approx(np.cov(moved.T), abs=1e-12)
        assert np.linalg.eigvalsh(rotated) == pytest.approx(np.linalg.eigvalsh(np.cov(moved.T)), abs=1e-12)


@pytest.mark.parametrize("covariance", [np.eye(3), np.zeros(36)])
def test_a_covariance_of_another_shape_is_refused(covariance):
    with pytest.raises(ValueError, match=r"it must be \(6, 6\)"):
        Transform.identity().rotate_covariance(covariance)


def test_a_matrix_is_the_transform_that_it_says():
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.from_euler("xyz", [0.3, -1.2, 2.0]).as_matrix(), [1, -2, 3]
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(Transform.from_matrix(matrix).apply(points), points @ matrix[:3, :3].T + matrix[:3, 3])


@pytest.mark.parametrize("matrix", [np.eye(3), 2 * np.eye(4), np.diag([1, 1, -1, 1]), np.full((4, 4), np.nan)])
def test_matrices_that_are_no_rigid_transform_are_refused(matrix):
    with pytest.raises(ValueError, match="rigid"):
        Transform.from_matrix(matrix)
