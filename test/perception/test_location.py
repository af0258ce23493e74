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
