# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation
from solids import turned

from clipseg_ros.perception.poses import Pose, estimate_poses, moved
from clipseg_ros.perception.transforms import Transform


def flat(axes: np.ndarray, size, centre=(0.1, -0.2, 1.5), *, noise: float = 0.0, n: int = 3000) -> np.ndarray:
    """(n, 3) points spread evenly over a rectangle."""
    rng = np.random.default_rng(1)
    local = np.column_stack([rng.uniform(-size[0] / 2, size[0] / 2, n), rng.uniform(-size[1] / 2, size[1] / 2, n),
                             rng.normal(0, noise, n)])
    return local @ np.asarray(axes).T + centre


def estimate_pose(points: np.ndarray, position: np.ndarray | None = None) -> Pose:
    """The pose of one surface all of whose points (n, 3) count."""
    one = np.asarray(points)[None]
    return estimate_poses(one, np.ones(one.shape[:2], bool), None if position is None else position[None])[0]


def degrees(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(one @ other, -1, 1))))


@pytest.mark.parametrize("angles", [{}, {"pitch": 50}, {"yaw": -60}, {"pitch": 30, "yaw": 40, "roll": 25}])
@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_a_plate_has_its_normal_its_longest_side_and_its_size(angles, noise):
    axes = turned(**angles)
    pose = estimate_pose(flat(axes, (0.4, 0.1), noise=noise))
    found = Rotation.from_quat(pose.orientation).as_matrix()
    assert degrees(found[:, 2], axes[:, 2]) < 1
    assert min(degrees(found[:, 0], axes[:, 0]), degrees(found[:, 0], -axes[:, 0])) < 1
    assert found[0, 0] >= 0
    assert pose.position == pytest.approx((0.1, -0.2, 1.5), abs=0.005)
    assert pose.extent[:2] == pytest.approx((0.4, 0.1), rel=0.02)
    assert pose.extent[2] < 5 * noise + 1e-6


def test_the_quaternion_is_unit():
    pose = estimate_pose(flat(turned(pitch=20, yaw=10, roll=70), (0.3, 0.2)))
    assert np.linalg.norm(pose.orientation) == pytest.approx(1)


def test_covariance_of_an_even_plate_by_hand():
    pose = estimate_pose(flat(np.diag([1.0, -1.0, -1.0]), (0.6, 0.3), noise=0.002, n=20000))
    # an even spread over a length has a variance of length^2 / 12
    assert np.diag(pose.covariance)[:3] == pytest.approx((0.03, 0.0075, 4e-6), rel=0.05)
    assert np.allclose(pose.covariance, pose.covariance.T)
    assert (np.linalg.eigvalsh(pose.covariance) >= 0).all()
    assert np.diag(pose.covariance)[3:].max() < 1e-4


@pytest.mark.parametrize(("name", "points"), [
    ("one point", np.array([[0.0, 0.0, 2.0]])),
    ("the same point often", np.tile([[0.1, 0.2, 1.0]], (50, 1))),
    ("five points", flat(turned(), (0.1, 0.1), n=5)),
    ("a line", np.linspace([-0.2, 0.1, 1.0], [0.2, 0.1, 1.4], 200)),
    ("a cloud without a surface", np.random.default_rng(2).normal(0, 0.05, (400, 3)) + (0, 0, 1.5)),
])
def test_without_a_surface_the_normal_points_to_the_camera(name, points):
    pose = estimate_pose(points)
    to_camera = -pose.position / np.linalg.norm(pose.position)
    assert Rotation.from_quat(pose.orientation).as_matrix()[:, 2] == pytest.approx(to_camera, abs=1e-9)
    assert all(np.isfinite(part).all() for part in (pose.orientation, pose.extent, pose.covariance))
    # nothing is known of the tilt
    assert np.linalg.eigvalsh(pose.covariance[3:, 3:])[1] == pytest.approx(np.pi ** 2 / 3)


def test_a_line_keeps_its_direction():
    direction = np.array([0.4, 0.0, 0.4]) / np.hypot(0.4, 0.4)
    pose = estimate_pose(np.linspace([-0.2, 0.1, 1.0], [0.2, 0.1, 1.4], 200))
    x = Rotation.from_quat(pose.orientation).as_matrix()[:, 0]
    normal = Rotation.from_quat(pose.orientation).as_matrix()[:, 2]
    projected = direction - (direction @ normal) * normal
    assert degrees(x, projected / np.linalg.norm(projected)) < 0.1


def test_a_round_outline_has_its_x_axis_to_the_right():
    angle, radius = np.random.default_rng(3).uniform(0, 2 * np.pi, 5000), np.sqrt(np.random.default_rng(4).random(5000))
    disc = np.column_stack([0.1 * radius * np.cos(angle), 0.1 * radius * np.sin(angle), np.ones(5000)])
    assert Rotation.from_quat(estimate_pose(disc).orientation).as_matrix()[:, 0] == pytest.approx((1, 0, 0), abs=0.05)


def test_a_given_position_is_the_poses():
    points = flat(turned(yaw=20), (0.4, 0.1))
    assert estimate_pose(points, position=np.array([0.2, -0.2, 1.4])).position == pytest.approx((0.2, -0.2, 1.4))


def test_points_that_do_not_count_and_other_surfaces_change_nothing():
    plate = flat(turned(yaw=20), (0.4, 0.1), n=300)
    kept = np.arange(300) % 3 > 0
    both = np.stack([np.where(kept[:, None], plate, np.nan), flat(turned(pitch=40), (0.1, 0.3), n=300)])
    found = estimate_poses(both, np.stack([kept, np.ones(300, bool)]))
    for pose, alone in zip(found, (estimate_pose(plate[kept]), estimate_pose(both[1]))):
        assert pose.position == pytest.approx(alone.position)
        assert pose.orientation == pytest.approx(alone.orientation)
        assert pose.extent == pytest.approx(alone.extent)
        assert pose.covariance == pytest.approx(alone.covariance)


def test_a_moved_pose_has_its_axes_moved():
    pose = estimate_pose(flat(turned(pitch=30, yaw=20), (0.4, 0.1), noise=0.001))
    quarter = Transform.from_quaternion((1, 2, 3), (0, 0, np.sqrt(0.5), np.sqrt(0.5)))
    found = moved(pose, quarter)
    x, y, z = pose.position
    assert found.position == pytest.approx((1 - y, 2 + x, 3 + z))
    assert Rotation.from_quat(found.orientation).as_matrix() == pytest.approx(
        quarter.matrix @ Rotation.from_quat(pose.orientation).as_matrix())
    assert np.diag(found.covariance)[:3] == pytest.approx(np.diag(pose.covariance)[[1, 0, 2]])
    assert found.extent == pytest.approx(pose.extent)


@pytest.mark.parametrize(("points", "kept", "says"), [
    (np.zeros((1, 4)), np.ones((1, 4), bool), "shape"),
    (np.zeros((1, 4, 3)), np.zeros((1, 4), bool), "at least one point"),
    (np.full((1, 4, 3), np.nan), np.ones((1, 4), bool), "not finite"),
])
def test_points_that_are_none_are_refused(points, kept, says):
    with pytest.raises(ValueError, match=says):
        estimate_poses(points, kept)


clouds = arrays(np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.floats(-3, 3))


@settings(max_examples=60, deadline=None)
@given(clouds)
def test_no_cloud_gives_anything_that_is_not_finite(points):
    pose = estimate_pose(points)
    assert all(np.isfinite(part).all() for part in (pose.position, pose.orientation, pose.extent, pose.covariance))
    assert np.linalg.norm(pose.orientation) == pytest.approx(1)
    assert (pose.extent >= 0).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(0.2, 5.0), st.integers(0, 2**31))
def test_scaling_the_cloud_scales_position_and_extent(scale, seed):
    axes = turned(pitch=seed % 60, yaw=seed % 37)
    points = flat(axes, (0.4, 0.15), n=400)
    one, other = estimate_pose(points), estimate_pose(points * scale)
    assert other.position == pytest.approx(one.position * scale)
    assert other.extent == pytest.approx(one.extent * scale, abs=1e-9)
    # a quaternion and its negative are one orientation
    assert abs(other.orientation @ one.orientation) == pytest.approx(1)
