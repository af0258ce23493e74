# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

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


@pytest.mark.parametrize("k", [(0.0,) * 9, (math.nan,) * 9, (-1.0, *K[1:])])
def test_an_uncalibrated_camera_is_refused(k):
    with pytest.raises(ValueError, match="not calibrated"):
        Pinhole.from_camera_info(k, 640, 480)


@pytest.mark.parametrize(("model", "d", "sentence"), [
    ("division", (0.1,), "'division' is unknown; it must be plumb_bob"),
    ("plumb_bob", (0.1, 0.1, 0.0), "3 distortion coefficients; plumb_bob has 4 or 5"),
    ("equidistant", (0.1,) * 5, "5 distortion coefficients; equidistant has 4 finite"),
    ("plumb_bob", (0.1, math.nan, 0.0, 0.0, 0.0), "finite"),
])
def test_an_unknown_lens_is_refused(model, d, sentence):
    with pytest.raises(ValueError, match=sentence):
        Pinhole.from_camera_info(K, 640, 480, d=d, model=model)
