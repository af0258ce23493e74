# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import re

import numpy as np
import pytest

from clipseg_ros.perception.depth import depth_in_metres, fit_to, looks_swapped, why_unmeasured


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


LIMITS = {"min_depth": 0.05, "max_depth": 20.0}
FLOAT, SHORT = ("32FC1", np.float32), ("16UC1", np.uint16)


def readings(low: float, high: float, dtype: type) -> np.ndarray:
    """(48, 64): a slanted wall between two readings."""
    return np.linspace(low, high, 48 * 64).reshape(48, 64).astype(dtype)


@pytest.mark.parametrize(("kind", "low", "high", "says"), [
    (FLOAT, 812, 2100, "the readings are 812 to 2100: 32FC1 must be metres; these look like millimetres"),
    (FLOAT, 4000, 9000, "4000 to 9000: .*millimetres"),
    (FLOAT, 30, 90, "the readings are 30 to 90: 32FC1 must be metres; these look like centimetres"),
    (FLOAT, 150, 400, "these look like millimetres or centimetres"),
    (FLOAT, 1e6, 1e8, r"the readings are 1e\+06 to 1e\+08: 32FC1 must be metres, from 0.05 to 20 m \(min_depth"),
    (SHORT, 2, 9, "the readings are 2 to 9: 16UC1 must be millimetres; these look like metres"),
    (SHORT, 25, 45, "the readings are 25 to 45: 16UC1 must be millimetres; these look like centimetres"),
    (SHORT, 21000, 60000, "the readings are 21000 to 60000: 16UC1 must be millimetres; .* tenths of a millimetre"),
    (("mono16", np.uint16), 2, 9, "mono16 must be millimetres"),
])
def test_readings_of_another_unit_are_told_with_a_guess(kind, low, high, says):
    encoding, dtype = kind
    depth = readings(low, high, dtype)
    depth[24, :2] = 0
    assert re.search(says, why_unmeasured(depth, encoding, **LIMITS))


def test_readings_out_of_reach_are_told_with_the_limits():
    sentence = why_unmeasured(readings(600, 900, np.uint16), "16UC1", min_depth=1.0, max_depth=5.0)
    assert sentence == "the readings are 600 to 900: 16UC1 must be millimetres, from 1 to 5 m (min_depth, max_depth)"


@pytest.mark.parametrize(("values", "dtype", "says"), [
    ([0], np.uint16, "all 3072 depth readings are 0, and"),
    ([65535], np.uint16, "are 65535, and"),
    ([0, 65535], np.uint16, "are 0 or 65535, and"),
    ([0], np.float32, "are 0, and"),
    ([math.nan], np.float32, "are NaN, and"),
    ([0, math.nan, math.inf, -1], np.float32, "are 0 or NaN or infinite or negative, and"),
])
def test_depth_without_any_reading_says_what_is_there(values, dtype, says):
    depth = np.resize(np.array(values, dtype), (48, 64))
    assert says in why_unmeasured(depth, "16UC1" if dtype == np.uint16 else "32FC1", **LIMITS)


def test_the_highest_reading_is_not_of_the_range():
    depth = readings(2, 9, np.uint16)
    depth[5:9] = 65535
    assert "are 2 to 9:" in why_unmeasured(depth, "16UC1", **LIMITS)


def scenes() -> dict[str, np.ndarray]:
    """(48, 64) float64 metres each."""
    rng = np.random.default_rng(3)
    wall = np.full((48, 64), 2.0)
    slant = readings(1.0, 6.0, np.float64)
    holes = np.where(rng.random((48, 64)) < 0.3, 0.0, slant)
    box = np.where(np.hypot(*np.mgrid[-24:24, -32:32]) < 15, 0.8, 3.3)
    return {"wall": wall, "slant": slant, "holes": holes, "box": box, "noisy": slant + rng.normal(0, 0.01, slant.shape)}


@pytest.mark.parametrize("name", scenes())
@pytest.mark.parametrize(("kind", "unit"), [(FLOAT, 1.0), (SHORT, 1000.0)])
def test_swapped_bytes_are_seen(name, kind, unit):
    encoding, dtype = kind
    depth = (scenes()[name] * unit).astype(dtype)
    assert not looks_swapped(depth, encoding, **LIMITS)
    assert looks_swapped(depth.byteswap(), encoding, **LIMITS)


@pytest.mark.parametrize(("kind", "depth"), [
    (SHORT, np.zeros((48, 64))), (SHORT, np.full((48, 64), 65535)), (SHORT, readings(21000, 65000, float)),
    (SHORT, np.random.default_rng(0).integers(0, 65536, (48, 64))), (SHORT, np.full((1, 1), 2000)),
    (FLOAT, np.full((48, 64), np.nan)), (FLOAT, readings(812, 2100, float)), (FLOAT, readings(30, 90, float)),
    (FLOAT, np.random.default_rng(0).random((48, 64)) * 30),
])
def test_other_faults_are_no_swapped_bytes(kind, depth):
    encoding, dtype = kind
    assert not looks_swapped(depth.astype(dtype), encoding, **LIMITS)
