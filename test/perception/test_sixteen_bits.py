# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.sixteen_bits import to_eight_bits, white_level


@pytest.mark.parametrize(("largest", "white"), [
    (0, 1023), (1023, 1023), (1024, 4095), (4095, 4095), (4096, 16383), (16383, 16383), (16384, 65535), (65535, 65535),
])
def test_white_is_the_largest_value_of_the_fewest_bits(largest, white):
    pixels = np.array([[0, largest]], np.uint16)
    assert white_level(pixels) == white
    assert white_level(pixels, "full") == 65535


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 1), (3, 5, 3), (3, 5, 4)])
def test_eight_bits_keep_the_shape(shape):
    pixels = np.full(shape, 4095, np.uint16)
    assert np.array_equal(to_eight_bits(pixels, 4095), np.full(shape, 255, np.uint8))
    assert np.array_equal(to_eight_bits(pixels, 65535), np.full(shape, 16, np.uint8))
