# SPDX-License-Identifier: Apache-2.0
"""What people reported of compressed images: cut files, formats that nobody read, sizes that no memory holds."""
from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs")
from pictures import PICTURE, claiming, encode, file_of, with_orientation  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from clipseg_ros.messages.compressed_depth import compressed_to_depth  # noqa: E402
from clipseg_ros.messages.images import compressed_to_rgb  # noqa: E402
from clipseg_ros.perception import encoded  # noqa: E402

pytestmark = pytest.mark.ros

JPEG = file_of(PICTURE)
DEPTH = np.array([[0, 500, 1234], [4000, 20000, 65535]], np.uint16)
GREY = np.repeat(cv2.cvtColor(PICTURE, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)


def sent(data: bytes, text: str = "jpeg") -> CompressedImage:
    return CompressedImage(format=text, data=array("B", data))


def near(rgb: np.ndarray, expected: np.ndarray, tolerance: int = 0) -> bool:
    """Whether two pictures are the same, their borders aside."""
    return rgb.shape == expected.shape and np.abs(rgb.astype(int) - expected)[2:-2, 2:-2].max() <= tolerance


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_cut_jpeg_is_no_half_grey_picture(share, end):
    start = JPEG.index(b"\xff\xda")
    with pytest.raises(ValueError, match=r"image \(\d+ bytes, format 'jpeg'\) is a JPEG file that ends in its data"):
        compressed_to_rgb(sent(JPEG[:start + int(share * (len(JPEG) - start))] + end))


@pytest.mark.parametrize("cut", [1, 2])
def test_a_jpeg_without_its_end_mark_is_whole(cut):
    assert near(compressed_to_rgb(sent(JPEG[:-cut])), PICTURE, 8)


def test_a_jpeg_in_a_buffer_of_whole_pages_is_whole():
    assert near(compressed_to_rgb(sent(JPEG + bytes(4096 - len(JPEG) % 4096))), PICTURE, 8)


@pytest.mark.parametrize("text", ["jpeg", "jpg", "JPEG", "", "png", ".jpg", "bgr8", "rgb8; jpeg compressed bgr8",
                                  "bgr8; jpeg compressed bgr8", "rgb8; jpeg compressed rgb8", "rgb8; jpeg compressed ",
                                  "rgb8;jpeg compressed", "8UC3; jpeg compressed ", "yuv422; jpeg compressed bgr8",
                                  "bayer_rggb8; jpeg compressed bgr8", "nv12; jpeg compressed bgr8"])
def test_colours_are_those_of_the_file_whatever_the_format_says(text):
    assert near(compressed_to_rgb(sent(JPEG, text)), PICTURE, 8)


@pytest.mark.parametrize(("text", "encoding"), [
    ("rgb8; png compressed bgr8", "rgb8"), ("png", "rgb8"), ("", "rgb8"), ("rgba8; png compressed bgr8", "rgba8"),
    ("rgb16; png compressed bgr16", "rgb16"), ("bayer_rggb8; png compressed ", "bayer_rggb8"),
    ("bayer_grbg8; png compressed", "bayer_grbg8"), ("bayer_rggb16; png compressed ", "bayer_rggb16"),
    ("mono16; png compressed ", "mono16"), ("16UC1; png compressed ", "16UC1"), ("mono8; png compressed ", "mono8"),
])
def test_a_lossless_picture_is_that_of_its_encoding(text, encoding):
    data = file_of(encode(PICTURE, encoding), ".png")
    assert near(compressed_to_rgb(sent(data, text)), GREY if encoding in ("mono16", "16UC1", "mono8") else PICTURE, 4)


def test_bayer_in_a_jpeg_gets_colours():
    data = file_of(encode(PICTURE, "bayer_rggb8"), ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100)
    assert near(compressed_to_rgb(sent(data, "bayer_rggb8; jpeg compressed ")), PICTURE, 16)


@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "rgb16", "bayer_rggb16"])
def test_twelve_bits_are_no_black_picture(encoding):
    data = file_of(encode(PICTURE, encoding) >> 4, ".png")
    message = sent(data, f"{encoding}; png compressed ")
    assert near(compressed_to_rgb(message), GREY if encoding in ("mono16", "16UC1") else PICTURE, 4)
    assert compressed_to_rgb(message, mono16_range="full").max() < 17


@pytest.mark.parametrize(("text", "data"), [
    ("16UC1; compressedDepth png", bytes(12) + file_of(DEPTH, ".png")),
    ("16UC1; compressedDepth", bytes(12) + file_of(DEPTH, ".png")),
    ("16UC1", bytes(12) + file_of(DEPTH, ".png")),
    ("png", bytes(12) + file_of(DEPTH, ".png")),
    ("32FC1; compressedDepth rvl", bytes(40)),
    ("32FC1; tiff compressed ", file_of(DEPTH.astype(np.float32), ".tiff")),
])
def test_depth_is_no_picture(text, data):
    with pytest.raises(ValueError, match=r"is depth; remap image/compressed to .*depth/compressedDepth \(with "
                                         r"depth_transport:=compressed\) to this one$"):
        compressed_to_rgb(sent(data, text))


@pytest.mark.parametrize("text", ["16UC1; png compressed ", "mono16; png compressed ", "png", ""])
def test_lossless_depth_on_the_topic_of_a_picture_is_depth(text):
    depth, encoding = compressed_to_depth(sent(file_of(DEPTH, ".png"), text))
    assert (encoding, depth.tolist()) == ("16UC1", DEPTH.tolist())


def test_depth_in_a_jpeg_is_refused():
    with pytest.raises(ValueError, match="JPEG distorts depths; subscribe to the topic that ends in /compressedDepth"):
        compressed_to_depth(sent(JPEG, "16UC1; jpeg compressed "))


def test_metadata_do_not_turn_what_a_camera_sees():
    assert compressed_to_rgb(sent(with_orientation(JPEG, 6))).shape == PICTURE.shape


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_small_file_that_claims_to_be_huge_takes_no_memory(monkeypatch, suffix):
    monkeypatch.setattr(encoded.cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match="of 60000x60000 pixels; both numbers must be positive, and at most 100000000"):
        compressed_to_rgb(sent(claiming(file_of(PICTURE, suffix), 60000, 60000)))
