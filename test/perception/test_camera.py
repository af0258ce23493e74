# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from clipseg_ros.perception.camera import Pinhole, depth_in_metres, median_depth

K = (500.0, 0.0, 320.0, 0.0, 400.0, 240.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(("pixel", "depth", "point"), [
    ((320, 240), 2.0, (0, 0, 2)),
    ((420, 240), 2.0, (0.4, 0, 2)),
    ((320, 140), 4.0, (0, -1, 4)),
])
def test_pixel_and_depth_to_point(pixel, depth, point):
    assert Pinhole.from_camera_info(K, 640, 480).point(*pixel, depth) == pytest.approx(point)


@pytest.mark.parametrize(("binning", "roi", "size", "pixel"), [
    ((0, 0), (0, 0, 0, 0), (640, 480), (420, 140)),
    ((2, 2), (0, 0, 0, 0), (320, 240), (210, 70)),
    ((1, 1), (100, 50, 400, 300), (400, 300), (320, 90)),
    ((2, 2), (100, 50, 400, 300), (200, 150), (160, 45)),
])
def test_binning_and_region_of_interest_move_the_pixel_not_the_point(binning, roi, size, pixel):
    camera = Pinhole.from_camera_info(K, 640, 480, binning=binning, roi=roi)
    assert camera.size == size
    assert camera.point(*pixel, 2.0) == pytest.approx((0.4, -0.5, 2.0))


@pytest.mark.parametrize("k", [(0.0,) * 9, (math.nan,) * 9, (-1.0, *K[1:])])
def test_an_uncalibrated_camera_is_refused(k):
    with pytest.raises(ValueError, match="not calibrated"):
        Pinhole.from_camera_info(k, 640, 480)


@pytest.mark.parametrize(("values", "dtype", "encoding", "metres"), [
    ([0, 1500, 65535], np.uint16, "16UC1", [math.nan, 1.5, 65.535]),
    ([2000], np.uint16, "mono16", [2.0]),
    ([0.0, 1.5, math.nan, math.inf, -1.0], np.float32, "32FC1", [math.nan, 1.5, math.nan, math.nan, math.nan]),
])
def test_depth_in_metres(values, dtype, encoding, metres):
    assert depth_in_metres(np.array(values, dtype), encoding) == pytest.approx(metres, nan_ok=True)


def test_an_unknown_depth_encoding_is_named():
    with pytest.raises(ValueError, match="'64FC1'.*32FC1"):
        depth_in_metres(np.zeros((1, 1)), "64FC1")


def test_median_depth_is_of_the_measured_pixels_inside_the_mask():
    depth = np.array([[1000, 2000, 0], [9000, 3000, 2200]], np.uint16)
    mask = np.array([[255, 255, 255], [0, 0, 255]], np.uint8)
    assert median_depth(depth, "16UC1", mask) == pytest.approx(2.0)
    assert math.isnan(median_depth(depth, "16UC1", np.array([[0, 0, 1], [0, 0, 0]])))
