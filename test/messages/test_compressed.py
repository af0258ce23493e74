# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from array import array

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")
from pictures import PICTURE, encode, file_of  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from clipseg_ros.messages.compressed import parse_format  # noqa: E402
from clipseg_ros.messages.images import compressed_to_rgb  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(("text", "parts"), [
    ("", ("", "", "")),
    ("jpeg", ("", "", "jpeg")),
    ("JPG", ("", "", "jpg")),
    (".png", ("", "", "png")),
    (" png ", ("", "", "png")),
    ("rgb8; jpeg compressed bgr8", ("rgb8", "compressed", "jpeg")),
    ("rgb8;jpeg compressed", ("rgb8", "compressed", "jpeg")),
    ("bayer_rggb8; png compressed ", ("bayer_rggb8", "compressed", "png")),
    ("BGR8; JPEG Compressed bgr8", ("BGR8", "compressed", "jpeg")),
    ("16UC1; compressedDepth png", ("16UC1", "compressedDepth", "png")),
    ("32FC1; compressedDepth rvl", ("32FC1", "compressedDepth", "rvl")),
    ("16UC1; compressedDepth", ("16UC1", "compressedDepth", "")),
    ("16UC1; compressedDepth png rvl", ("16UC1", "compressedDepth", "png rvl")),
    ("16UC1;", ("16UC1", "", "")),
    ("bgr8; zstd", ("bgr8", "", "")),
    ("; ;;", ("", "", "")),
])
def test_format(text, parts):
    assert parse_format(text) == parts


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_bayer_of_every_pattern(pattern, bits):
    encoding = f"bayer_{pattern}{bits}"
    data = file_of(encode(PICTURE, encoding), ".png")
    rgb = compressed_to_rgb(CompressedImage(format=f"{encoding}; png compressed ", data=array("B", data)))
    assert np.abs(rgb.astype(int) - PICTURE)[2:-2, 2:-2].max() <= 4


def test_bayer_needs_an_even_size():
    data = file_of(PICTURE[:47, :, 0], ".png")
    with pytest.raises(ValueError, match="image is 64x47 pixels; bayer_rggb8 needs an even width and height"):
        compressed_to_rgb(CompressedImage(format="bayer_rggb8; png compressed ", data=array("B", data)))
