# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import re

import cv2
import numpy as np
import pytest

from clipseg_ros.perception.camera import Pinhole

K = (500.0, 0.0, 320.0, 0.0, 400.0, 240.0, 0.0, 0.0, 1.0)
P = (450.0, 0.0, 310.0, 0.0, 0.0, 360.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0)
MATRIX = np.array(K).reshape(3, 3)
PLUMB_BOB = (-0.3, 0.1, 0.001, -0.002, 0.02)
RATIONAL = (0.4, -0.2, 0.001, -0.001, 0.05, 0.6, -0.1, 0.02)
FISHEYE = (0.05, -0.01, 0.003, -0.001)


@pytest.mark.parametrize(("pixel", "ray"), [
    ((320, 240), (0, 0)),
    ((420, 240), (0.2, 0)),
    ((320, 140), (0, -0.25)),
])
def test_rays_of_pixels(pixel, ray):
    rays = Pinhole.from_camera_info(K, 640, 480).rays
    assert (rays.shape, rays.dtype) == ((480, 640, 2), np.float32)
    assert rays[pixel[1], pixel[0]] == pytest.approx(ray)


def test_rays_are_computed_once():
    camera = Pinhole.from_camera_info(K, 640, 480)
    assert camera.rays is camera.rays


@pytest.mark.parametrize(("binning", "roi", "size", "pixel"), [
    ((0, 0), (0, 0, 0, 0), (640, 480), (420, 140)),
    ((2, 2), (0, 0, 0, 0), (320, 240), (210, 70)),
    ((1, 1), (100, 50, 400, 300), (400, 300), (320, 90)),
    ((2, 2), (100, 50, 400, 300), (200, 150), (160, 45)),
])
def test_binning_and_region_of_interest_move_the_pixel_not_the_ray(binning, roi, size, pixel):
    camera = Pinhole.from_camera_info(K, 640, 480, binning=binning, roi=roi)
    assert camera.size == size
    assert camera.rays[pixel[1], pixel[0]] == pytest.approx((0.2, -0.25))


@pytest.mark.parametrize(("u", "v", "bearing"), [
    (320, 240, (0, 0, 1)),
    (820, 240, (math.sqrt(0.5), 0, math.sqrt(0.5))),
    (320, -160, (0, -math.sqrt(0.5), math.sqrt(0.5))),
])
def test_the_bearing_is_the_unit_vector_through_a_pixel(u, v, bearing):
    assert Pinhole.from_camera_info(K, 640, 480).bearing(u, v) == pytest.approx(bearing)


@pytest.mark.parametrize(("model", "d"), [
    ("plumb_bob", PLUMB_BOB), ("rational_polynomial", RATIONAL), ("equidistant", FISHEYE),
])
def test_distorted_pixels_lead_to_the_ray_that_the_lens_bent(model, d):
    rays = np.array([[0.0, 0.0], [0.3, 0.1], [-0.35, 0.4], [0.5, -0.45]])
    seen = np.hstack([rays, np.ones((4, 1))])[:, None]
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    pixels = project(seen, np.zeros(3), np.zeros(3), MATRIX, np.array(d))[0].reshape(-1, 2)
    camera = Pinhole.from_camera_info(K, 640, 480, d=d, model=model)
    for (u, v), ray in zip(pixels, rays):
        bearing = camera.bearing(u, v)
        assert bearing[:2] / bearing[2] == pytest.approx(ray, abs=1e-6)
    u, v = np.rint(pixels[1]).astype(int)
    straight = camera.bearing(u, v)
    assert camera.rays[v, u] == pytest.approx(straight[:2] / straight[2], abs=1e-6)
    assert np.isfinite(camera.rays).all()


def fisheye(angle: float, k: tuple[float, ...], *, turn: float = 0.0) -> tuple[float, float]:
    """Where the equidistant model shows a direction so many degrees off the axis, in the image of `K`."""
    t = math.radians(angle)
    distance = t * (1 + sum(value * t ** (2 * power) for power, value in enumerate(k, 1)))
    return (320 + 500 * distance * math.cos(turn), 240 + 400 * distance * math.sin(turn))


@pytest.mark.parametrize("k", [(), FISHEYE, (0.1, 0.02, 0.0, 0.0), (-0.02, 0.0, 0.0, 0.0)])
@pytest.mark.parametrize("angle", [0, 1e-6, 30, 60, 89.9, 90, 100, 105])
def test_a_fisheye_sees_behind_itself(k, angle):
    camera = Pinhole.from_camera_info(K, 640, 480, d=k, model="equidistant")
    t, turn = math.radians(angle), 0.7
    bearing = camera.bearing(*fisheye(angle, k, turn=turn))
    assert bearing == pytest.approx((math.sin(t) * math.cos(turn), math.sin(t) * math.sin(turn), math.cos(t)), abs=1e-7)


@pytest.mark.parametrize(("k", "last"), [((-0.2, 0.0, 0.0, 0.0), 73.96), ((0.1, -0.05, 0.0, 0.0), 92.48), ((), 180.0)])
def test_a_fisheye_has_no_direction_where_its_polynomial_has_no_answer(k, last):
    camera = Pinhole.from_camera_info(K, 640, 480, d=k, model="equidistant")
    u, v = fisheye(last, k)
    seen = camera.bearing(u - 0.1, v)
    assert math.degrees(math.acos(seen[2])) == pytest.approx(last, abs=1.5)
    assert seen[0] >= 0
    for beyond in (u + 1, u + 300, u + 1e6, u + 1e300):
        assert np.isnan(camera.bearing(beyond, v)).all()


def test_rays_end_at_a_right_angle():
    camera = Pinhole.from_camera_info((100.0, 0, 320, 0, 100, 240, 0, 0, 1), 640, 480, model="equidistant")
    seen = np.hypot(*np.mgrid[-240:240, -320:320]) / 100 < math.pi / 2
    assert 0 < seen.mean() < 1
    assert (~np.isnan(camera.rays) == seen[..., None]).all()
    assert camera.rays[240, 420] == pytest.approx((math.tan(1.0), 0), abs=1e-6)


def test_a_polynomial_lens_has_no_ray_where_its_model_turns_back():
    camera = Pinhole.from_camera_info((250.0, 0, 320, 0, 250, 240, 0, 0, 1), 640, 480, d=(-0.4, 0.0, 0.0, 0.0, 0.0))
    turning = math.sqrt(1 / 1.2)
    last = turning * (1 - 0.4 * turning ** 2)
    away = np.hypot(*np.mgrid[-240:240, -320:320]) / 250
    known = ~np.isnan(camera.rays).any(axis=2)
    assert known[away < last - 0.01].all()
    assert not known[away > last + 0.01].any()
    assert np.isnan(camera.bearing(0, 0)).all()
    assert np.nanmax(np.hypot(camera.rays[..., 0], camera.rays[..., 1])) < turning + 0.05


@pytest.mark.parametrize(("model", "d", "same_as"), [
    ("equidistant", (0.0,) * 4, (1e-12, 0, 0, 0)),
    ("equidistant", (), (1e-12, 0, 0, 0)),
    ("equidistant", (0.0,) * 14, (1e-12, 0, 0, 0)),
    ("equidistant", (*FISHEYE, 0.0), FISHEYE),
    ("equidistant", (*FISHEYE, *(0.0,) * 4), FISHEYE),
    ("equidistant", (*FISHEYE, *(0.0,) * 10), FISHEYE),
    ("fisheye", FISHEYE, FISHEYE),
    ("Kannala-Brandt", FISHEYE, FISHEYE),
    ("KANNALA_BRANDT4", (), (1e-12, 0, 0, 0)),
])
def test_the_model_decides_and_not_the_coefficients(model, d, same_as):
    camera = Pinhole.from_camera_info(K, 640, 480, d=d, model=model)
    reference = Pinhole.from_camera_info(K, 640, 480, d=same_as, model="equidistant")
    assert camera.bearing(5, 470) == pytest.approx(reference.bearing(5, 470), abs=1e-9)
    np.testing.assert_allclose(camera.rays, reference.rays, rtol=1e-4)
    # 0.63 focal lengths are 0.63 radians, not the angle whose tangent that is
    assert camera.bearing(635, 240)[0] != pytest.approx(0.63 / math.hypot(0.63, 1), abs=0.02)


@pytest.mark.parametrize(("model", "d"), [
    ("", ()), ("plumb_bob", (0.0,) * 5), ("rational_polynomial", (0.0,) * 8), ("plumb_bob", (0.0,) * 3),
    ("none", ()), ("pinhole", (0.0,) * 4), ("perspective", ()), ("radtan", ()), ("Brown Conrady", (0.0,) * 5),
])
def test_lenses_that_bend_nothing(model, d):
    assert Pinhole.from_camera_info(K, 640, 480, d=d, model=model) == Pinhole.from_camera_info(K, 640, 480)


def test_trailing_zeros_of_a_polynomial_lens_are_dropped():
    camera = Pinhole.from_camera_info(K, 640, 480, d=(*PLUMB_BOB, 0.0), model="radtan")
    assert camera == Pinhole.from_camera_info(K, 640, 480, d=PLUMB_BOB)


def test_binning_keeps_the_ray_of_a_distorted_image():
    full = Pinhole.from_camera_info(K, 640, 480, d=PLUMB_BOB)
    binned = Pinhole.from_camera_info(K, 640, 480, d=PLUMB_BOB, binning=(2, 2))
    assert binned.rays[30, 20] == pytest.approx(full.rays[60, 40], abs=1e-6)


def test_a_rectified_image_is_described_by_the_projection_matrix():
    camera = Pinhole.from_camera_info(K, 640, 480, d=PLUMB_BOB, p=P, rectified=True)
    assert (camera.fx, camera.fy, camera.cx, camera.cy, camera.distortion) == (450, 360, 310, 230, ())
    empty = Pinhole.from_camera_info(K, 640, 480, d=PLUMB_BOB, p=(0.0,) * 12, rectified=True)
    assert (empty.fx, empty.distortion) == (500, ())
    assert Pinhole.from_camera_info(K, 640, 480, d=(0.0,) * 5, p=P) == Pinhole.from_camera_info(K, 640, 480)


ZEROS = (0.0,) * 9
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
EMPTY = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""A projection matrix that is a placeholder as well."""


@pytest.mark.parametrize("k", [ZEROS, IDENTITY])
@pytest.mark.parametrize("words", [
    {}, {"model": ""}, {"model": "none"}, {"d": (0.0,) * 5}, {"rectified": True},
    {"d": PLUMB_BOB, "rectified": True}, {"model": "equidistant", "rectified": True},
])
def test_the_projection_matrix_stands_in_for_a_placeholder(k, words):
    camera = Pinhole.from_camera_info(k, 640, 480, p=P, **words)
    assert (camera.fx, camera.fy, camera.cx, camera.cy, camera.distortion) == (450, 360, 310, 230, ())
    assert camera.bearing(760, 230) == pytest.approx((math.sqrt(0.5), 0, math.sqrt(0.5)))


@pytest.mark.parametrize(("k", "focal"), [(ZEROS, 0), (IDENTITY, 1)])
@pytest.mark.parametrize("words", [{"d": PLUMB_BOB}, {"model": "equidistant"}, {"d": FISHEYE, "model": "fisheye"}])
def test_a_placeholder_of_a_lens_that_bends_is_refused_with_the_way_out(k, focal, words):
    with pytest.raises(ValueError, match=rf"not calibrated: .* focal lengths of {focal}, .*p \(450\).*`rectified`"):
        Pinhole.from_camera_info(k, 640, 480, p=P, **words)


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("p", [(), (0.0,) * 12, EMPTY])
def test_a_placeholder_without_a_projection_matrix_is_refused(p, rectified):
    with pytest.raises(ValueError, match="not calibrated: its k is the identity.*camera_calibration"):
        Pinhole.from_camera_info(IDENTITY, 640, 480, p=p, rectified=rectified)
    with pytest.raises(ValueError, match="not calibrated: its focal lengths are 0 and 0"):
        Pinhole.from_camera_info(ZEROS, 640, 480, p=p, rectified=rectified)


def test_a_placeholder_beside_a_good_matrix_is_ignored():
    camera = Pinhole.from_camera_info(K, 640, 480, p=EMPTY, rectified=True)
    assert (camera.fx, camera.cx) == (500, 320)


def square(focal: float, cx: float, cy: float) -> tuple[float, ...]:
    return (focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(("k", "says"), [
    (square(500, 0, 0), r"focal lengths of 500 and 500 and a principal point of \(0, 0\) .* an image of 640x480"),
    (square(500, 0, 240), r"\(0, 240\)"),
    (square(500, 3000, 240), r"\(3000, 240\)"),
    (square(500, 320, -1000), r"\(320, -1000\)"),
    (square(0.8, 0.5, 0.5), "lengths of 0.8 and 0.8"),
    (square(63, 320, 240), "lengths of 63 and 63"),
    (square(13000, 320, 240), "lengths of 13000 and 13000"),
    ((500.0, 0, 320, 0, 5, 240, 0, 0, 1), "lengths of 500 and 5 "),
])
def test_an_implausible_calibration_is_taken_with_doubt(k, says):
    camera = Pinhole.from_camera_info(k, 640, 480)
    assert re.search(says, camera.doubt)
    assert (camera.fx, camera.cx) == (k[0], k[2])


@pytest.mark.parametrize("k", [K, square(65, 320, 240), square(12000, 320, 240), square(500, -300, 700)])
def test_a_plausible_calibration_is_not_doubted(k):
    assert Pinhole.from_camera_info(k, 640, 480).doubt == ""


def test_a_part_of_a_sensor_is_not_doubted():
    # the principal point is far outside of this corner of the sensor, and on the sensor all the same
    camera = Pinhole.from_camera_info(K, 640, 480, roi=(600, 440, 40, 40), binning=(2, 2))
    assert (camera.cx, camera.doubt) == (-140, "")


@pytest.mark.parametrize("k", [ZEROS, (math.nan,) * 9, (-1.0, *K[1:])])
def test_an_uncalibrated_camera_is_refused(k):
    with pytest.raises(ValueError, match="not calibrated"):
        Pinhole.from_camera_info(k, 640, 480)


@pytest.mark.parametrize(("model", "d", "sentence"), [
    ("division", (0.1,), "'division' is unknown; it must be plumb_bob"),
    ("omni", (), "'omni' is unknown; .*`rectified`"),
    ("double_sphere", (0.0,) * 5, "'double_sphere' is unknown"),
    ("fov", (0.0,), "'fov' is unknown"),
    ("pinhole", (0.1, 0.0, 0.0, 0.0), "4 distortion coefficients; pinhole has none but zeros"),
    ("equidistant", (*FISHEYE, 0.0, 0.0, 0.0, 0.1), "8 distortion coefficients; equidistant has 4 finite"),
    ("equidistant", (math.nan, 0.0, 0.0, 0.0), "finite"),
    ("plumb_bob", (0.1, 0.1, 0.0), "3 distortion coefficients; plumb_bob has 4 or 5"),
    ("equidistant", (0.1,) * 5, "5 distortion coefficients; equidistant has 4 finite"),
    ("plumb_bob", (0.1, math.nan, 0.0, 0.0, 0.0), "finite"),
])
def test_an_unknown_lens_is_refused(model, d, sentence):
    with pytest.raises(ValueError, match=sentence):
        Pinhole.from_camera_info(K, 640, 480, d=d, model=model)


@pytest.mark.parametrize("d, model", [
    ((), "plumb_bob"), ((-0.25, 0.08, 0.001, -0.002, 0.01), "plumb_bob"), ((0.02, -0.01, 0.003, -0.001), "equidistant"),
    ((), "equidistant")])
def test_points_are_seen_in_the_pixels_whose_rays_lead_to_them(d, model):
    camera = Pinhole.from_camera_info([300, 0, 160, 0, 310, 120, 0, 0, 1], 320, 240, d=d, model=model)
    rows, columns = np.mgrid[5:240:47, 5:320:61].reshape(2, -1)
    rays = camera.rays[rows, columns].astype(np.float64)
    points = np.column_stack([rays, np.ones(len(rays))]) * np.linspace(0.5, 9.0, len(rays))[:, None]
    np.testing.assert_allclose(camera.project(points), np.column_stack([columns, rows]), atol=0.02)
    assert np.isnan(camera.project(-points)).all()


def test_a_smaller_image_of_the_same_camera_has_the_same_rays():
    camera = Pinhole(300.0, 310.0, 159.5, 119.5, (320, 240), (-0.2, 0.05, 0.0, 0.0))
    small = camera.resized((80, 60))
    assert small.size == (80, 60)
    np.testing.assert_allclose(small.bearing(10, 20), camera.bearing(41.5, 81.5), atol=1e-9)
