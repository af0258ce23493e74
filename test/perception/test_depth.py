# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from clipseg_ros.perception.depth import depth_in_metres, fit_to


@pytest.mark.parametrize(("values", "dtype", "encoding", "metres"), [
    ([0, 1500, 65535], np.uint16, "16UC1", [math.nan, 1.5, 65.535]),
    ([2000], np.uint16, "mono16", [2.0]),
    ([0.0, 1.5, math.nan, math.inf, -1.0], np.float32, "32FC1", [math.nan, 1.5, math.nan, math.nan, math.nan]),
])
def test_depth_in_metres(values, dtype, encoding, metres):
    found = depth_in_metres(np.array(values, dtype), encoding)
    assert found.dtype == np.float32
    assert found == pytest.approx(metres, nan_ok=True)


def test_readings_outside_the_sensors_range_were_not_measured():
    found = depth_in_metres(np.array([299, 300, 301, 5000, 5001], np.uint16), "16UC1", min_depth=0.3, max_depth=5.0)
    assert np.isnan(found).tolist() == [True, False, False, False, True]


def test_an_unknown_depth_encoding_is_named():
    with pytest.raises(ValueError, match="'64FC1'.*32FC1"):
        depth_in_metres(np.zeros((1, 1)), "64FC1")


def test_depth_of_another_resolution_keeps_its_readings():
    depth = np.array([[1, np.nan], [3, 4]], np.float32)
    larger = fit_to(depth, (4, 4))
    assert larger == pytest.approx(depth.repeat(2, axis=0).repeat(2, axis=1), nan_ok=True)
    assert fit_to(larger, (2, 2)) == pytest.approx(depth, nan_ok=True)
    assert fit_to(depth, (2, 2)) is depth


@pytest.mark.parametrize(("shape", "fits"), [((240, 320), True), ((239, 320), True), ((288, 512), False)])
def test_depth_of_other_proportions_shows_another_view(shape, fits):
    depth = np.ones(shape, np.float32)
    if fits:
        assert fit_to(depth, (640, 480)).shape == (480, 640)
    else:
        with pytest.raises(ValueError, match="512x288 pixels and the image 640x480.*registered"):
            fit_to(depth, (640, 480))
