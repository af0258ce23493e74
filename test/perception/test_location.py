# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from solids import CAMERA, ball, box, plane, plate, points, region, turned

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.location import Location, interior_point
from clipseg_ros.perception.location import locate as locate_all
from clipseg_ros.perception.regions import Region


def locate(blob: Region, *known, **options) -> Location:
    """The location of one region."""
    return locate_all([blob], *known, **options)[0]


def visible(depth: np.ndarray) -> np.ndarray:
    return ~np.isnan(depth)


def ring() -> np.ndarray:
    """(480, 640) bool: a ring of the radii 60 and 100 pixels around (320, 240)."""
    v, u = np.mgrid[:480, :640]
    distance = np.hypot(u - 320, v - 240)
    return (distance >= 60) & (distance <= 100)


@pytest.mark.parametrize(("solid", "normal"), [
    (plate((0.0, 0.1, 1.0), turned(pitch=40), (0.3, 0.2)), turned(pitch=40)[:, 2]),
    (ball((0.3, 0.0, 1.5), 0.15), None),
    (box((-0.2, 0.1, 2.0), turned(pitch=25, yaw=-40), (0.3, 0.2, 0.3)), None),
])
def test_where_a_solid_is(solid, normal):
    mask = visible(solid)
    found = locate(region(mask), CAMERA, solid.astype(np.float32))
    assert found.pose.position == pytest.approx(points(solid, mask).mean(axis=0), abs=0.003)
    assert found.pixel == pytest.approx(tuple(np.argwhere(mask).mean(axis=0)[::-1]))
    assert np.linalg.norm(found.bearing) == pytest.approx(1)
    if normal is not None:
        assert Rotation.from_quat(found.pose.orientation).as_matrix()[:, 2] == pytest.approx(normal, abs=0.01)
    else:
        assert Rotation.from_quat(found.pose.orientation).as_matrix()[2, 2] < 0


def test_as_much_as_the_data_allow():
    solid = ball((0.3, 0.0, 1.5), 0.15)
    blob = region(visible(solid))
    assert locate(blob).bearing is None
    without_depth = locate(blob, CAMERA)
    assert (without_depth.pose, len(without_depth.points)) == (None, 0)
    unmeasured = locate(blob, CAMERA, np.full((480, 640), np.nan, np.float32))
    assert unmeasured.pose is None
    assert unmeasured.bearing == pytest.approx(without_depth.bearing)


def test_the_interior_point_of_a_ring_lies_on_it():
    mask = ring()
    wall = plane((0, 0, 2.0), (0, 0, -1.0)).astype(np.float32)
    centre = locate(region(mask), CAMERA, wall)
    assert centre.pixel == pytest.approx((320, 240))
    assert centre.pose.position == pytest.approx((0.002, 0.002, 2.0), abs=0.002)
    inside = locate(region(mask), CAMERA, wall, point="interior")
    u, v = inside.pixel
    assert mask[int(v), int(u)]
    assert np.hypot(u - 320, v - 240) == pytest.approx(80, abs=1.5)
    assert inside.pose.position == pytest.approx(2.0 * np.append(CAMERA.rays[int(v), int(u)], 1), abs=0.02)


def test_the_interior_point_of_a_square_is_its_middle():
    mask = np.zeros((480, 640), bool)
    mask[100:121, 200:221] = True
    assert interior_point(region(mask)) == ((210.0, 110.0), pytest.approx(11, abs=0.1))


def test_a_region_at_the_images_edge_has_an_interior_point():
    mask = np.zeros((480, 640), bool)
    mask[:9, :9] = True
    assert interior_point(region(mask))[0] == (4.0, 4.0)


TILTS = [(30, 0, 0), (30, 25, 0), (45, 45, 0), (60, 25, 20), (75, 10, -30)]
"""Of the camera downwards, of the thing about the vertical, and of the camera about its axis, in degrees."""


def upright(tilt: float, turn: float, roll: float) -> np.ndarray:
    """(3, 3) axes of a thing that stands upright, its height the second, seen by a camera that looks down."""
    rolled = Rotation.from_euler("z", roll, degrees=True).as_matrix()
    return rolled @ turned(pitch=tilt) @ Rotation.from_euler("y", turn, degrees=True).as_matrix()


@pytest.mark.parametrize(("tilt", "turn", "roll"), TILTS)
@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_the_top_of_a_box_is_the_middle_of_its_upper_face(tilt, turn, roll, noise):
    axes, size, centre = upright(tilt, turn, roll), (0.2, 0.12, 0.15), np.array([0.1, 0.05, 1.0])
    up, solid = axes[:, 1], box(centre, axes, size)
    measured = (solid + np.random.default_rng(0).normal(0, noise, solid.shape)).astype(np.float32)
    found = locate(region(visible(solid)), CAMERA, measured, point="top", up=up)
    assert found.pose.position == pytest.approx(centre + up * size[1] / 2, abs=0.005)
    matrix = Rotation.from_quat(found.pose.orientation).as_matrix()
    assert np.degrees(np.arccos(min(matrix[:, 2] @ up, 1))) < 2
    assert found.pose.extent[:2] == pytest.approx((size[0], size[2]), abs=0.02)
    assert found.pose.grasp_width == pytest.approx(size[2], abs=0.02)
    assert CAMERA.bearing(*found.pixel) == pytest.approx(found.bearing, abs=1e-4)
    assert found.bearing == pytest.approx(found.pose.position / np.linalg.norm(found.pose.position))
    assert ((found.points - found.pose.position) @ up == pytest.approx(0, abs=0.01))


def test_the_top_of_something_hollow_is_in_the_middle_of_its_rim():
    """A box without a lid, of thin walls, as a mug is."""
    axes, centre, size = upright(50, 30, 0), np.array([0.0, 0.0, 0.8]), (0.08, 0.1, 0.08)
    up = axes[:, 1]
    walls = []
    for side in (axes[:, 0], axes[:, 2]):
        for sign in (-1, 1):
            thin = np.where(np.abs(axes.T @ side) > 0.5, 0.006, size)
            walls.append(box(centre + sign * side * 0.037, axes, thin))
    bottom = box(centre - up * 0.047, axes, (0.08, 0.006, 0.08))
    solid = np.fmin.reduce([*walls, bottom])
    found = locate(region(visible(solid)), CAMERA, solid.astype(np.float32), point="top", up=up)
    assert found.pose.position == pytest.approx(centre + up * 0.05, abs=0.01)
    assert Rotation.from_quat(found.pose.orientation).as_matrix()[:, 2] @ up > np.cos(np.radians(10))


def test_the_top_of_a_ball_is_its_uppermost_part():
    up = upright(40, 0, 0)[:, 1]
    solid = ball((0.0, 0.0, 1.0), 0.1)
    found = locate(region(visible(solid)), CAMERA, solid.astype(np.float32), point="top", up=up)
    assert (found.pose.position - (0, 0, 1)) @ up == pytest.approx(0.095, abs=0.006)
    assert Rotation.from_quat(found.pose.orientation).as_matrix()[:, 2] @ up > np.cos(np.radians(20))


def test_top_needs_to_know_where_up_is():
    blob = region(ring())
    for up, says in ((None, "it is not said where up is"), ((0, 0, 2), "a vector of length 1"),
                     ((0, 1), "three numbers"), ((np.nan, 0, 1), "a vector of length 1")):
        with pytest.raises(ValueError, match=says):
            locate(blob, CAMERA, point="top", up=up)
    unmeasured = locate(blob, CAMERA, np.full((480, 640), np.nan, np.float32), point="top", up=(0, -1, 0))
    assert (unmeasured.pose, unmeasured.pixel) == (None, locate(blob).pixel)


@pytest.mark.parametrize("camera", [
    Pinhole(1e-300, 500.0, 319.5, 239.5, (640, 480)),
    Pinhole(500.0, 500.0, 1e300, 239.5, (640, 480)),
    Pinhole(500.0, 500.0, 319.5, 239.5, (640, 480), (1e9, -1e9, 1e9, 1e9, 1e9)),
    Pinhole(500.0, 500.0, 319.5, 239.5, (640, 480), (9e9, 9e9, 9e9, 9e9), fisheye=True),
])
def test_a_calibration_that_makes_no_sense_does_no_harm(camera):
    with np.errstate(all="ignore"):
        found = locate(region(ring()), camera, np.full((480, 640), 2.0, np.float32))
    assert found.pose is None or np.isfinite(found.pose.position).all()


def test_an_unknown_point_is_refused():
    with pytest.raises(ValueError, match="'middle'.*centroid, interior"):
        locate(region(ring()), CAMERA, point="middle")


@settings(max_examples=20, deadline=None)
@given(st.floats(0.3, 4.0), st.floats(-40, 40), st.floats(-40, 40))
def test_scaling_the_depth_scales_the_position(scale, pitch, yaw):
    camera = Pinhole(120.0, 120.0, 79.5, 59.5, (160, 120))
    solid = box((0.05, 0.0, 1.0), turned(pitch=pitch, yaw=yaw), (0.3, 0.25, 0.2), camera)
    blob = region(visible(solid))
    one = locate(blob, camera, solid.astype(np.float32))
    other = locate(blob, camera, (solid * scale).astype(np.float32))
    # depths are binned by their logarithm, so that the same points are kept up to those on a bin's edge; a coordinate
    # that is 0 but for rounding has no relative error
    assert other.pose.position == pytest.approx(one.pose.position * scale, rel=0.02, abs=1e-5)
    assert other.bearing == pytest.approx(one.bearing)
