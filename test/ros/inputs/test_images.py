# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs")
from pictures import PICTURE, encode, message  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from clipseg_ros.ros.inputs.images import (  # noqa: E402
    COLOUR_ENCODINGS,
    compressed_to_rgb,
    image_to_depth,
    image_to_mask,
    image_to_rgb,
)

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", COLOUR_ENCODINGS)
def test_every_encoding_gives_the_same_picture(encoding, padding):
    rgb = image_to_rgb(message(encode(PICTURE, encoding), encoding, padding=padding))
    assert (rgb.shape, rgb.dtype, rgb.flags.c_contiguous) == (PICTURE.shape, np.uint8, True)
    grey = encoding in ("mono8", "mono16", "8UC1")
    expected = np.repeat(cv2.cvtColor(PICTURE, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1) if grey else PICTURE
    tolerance = 4 if encoding.startswith(("bayer", "nv", "yuv", "yuyv", "uyvy")) else 0
    inner = slice(2, -2), slice(2, -2)
    assert np.abs(rgb[inner].astype(int) - expected[inner]).max() <= tolerance


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8", "mono16", "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8",
                                      "bayer_grbg8", "yuv422", "yuv422_yuy2"])
def test_an_independent_converter_agrees(encoding):
    rosbags_image = pytest.importorskip("rosbags.image")
    sent = message(encode(PICTURE, encoding), encoding)
    theirs = rosbags_image.message_to_cvimage(sent, "rgb8")
    assert np.abs(image_to_rgb(sent).astype(int) - theirs).max() <= 1


def test_mono16_of_the_other_byte_order_is_the_same():
    grey = encode(PICTURE, "mono16")
    little = image_to_rgb(message(grey, "mono16"))
    big = image_to_rgb(message(grey.astype(">u2"), "mono16", big_endian=True, padding=2))
    assert (little == big).all()


def test_rgb8_without_padding_is_not_copied():
    sent = message(PICTURE, "rgb8")
    assert np.shares_memory(image_to_rgb(sent), np.frombuffer(sent.data, np.uint8))


@pytest.mark.parametrize(("change", "says"), [
    ({"width": 0}, "empty: it is 0 pixels wide and 48 high"),
    ({"height": 0}, "empty"),
    ({"encoding": "rgb7"}, "'rgb7'; it must be one of rgb8"),
    ({"encoding": ""}, "''; it must be"),
    ({"encoding": "32FC1"}, "'32FC1'; it must be"),
    ({"encoding": "16UC1"}, "nv12, nv21, or with cv_bridge rgb16, bgr16, .*bayer_rggb16.*"),
    ({"encoding": "bgr16"}, "step of 192 bytes; 64 pixels of bgr16 need at least 384"),
    ({"encoding": "bgr16", "width": 32, "height": 47}, "9216 bytes of data; 47 rows of 192 bytes need 9024"),
    ({"encoding": "bayer_rggb16", "height": 47}, "bayer_rggb16 needs an even width and height"),
    ({"step": 191}, "step of 191 bytes; 64 pixels of rgb8 need at least 192"),
    ({"step": 193}, "need 9264"),
    ({"height": 47}, "9216 bytes of data; 47 rows of 192 bytes need 9024"),
    ({"data": array("B", b"123")}, "3 bytes of data"),
    ({"data": array("B")}, "0 bytes of data"),
    ({"encoding": "nv12", "height": 47, "step": 64}, "even width and height"),
    ({"encoding": "yuv422", "width": 63, "step": 126}, "even width"),
    ({"encoding": "nv12", "step": 64}, "72 rows of 64 bytes need 4608"),
])
def test_faulty_images_are_refused_with_a_sentence(change, says):
    sent = message(PICTURE, "rgb8")
    for name, value in change.items():
        setattr(sent, name, value)
    with pytest.raises(ValueError, match=says):
        image_to_rgb(sent)


@pytest.mark.parametrize(("suffix", "tolerance"), [(".png", 0), (".jpg", 8)])
def test_compressed(suffix, tolerance):
    data = cv2.imencode(suffix, PICTURE[..., ::-1])[1].tobytes()
    rgb = compressed_to_rgb(CompressedImage(format=suffix, data=array("B", data)))
    assert np.abs(rgb.astype(int) - PICTURE).max() <= tolerance


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0"])
def test_a_compressed_image_that_cannot_be_decoded_is_refused(data):
    with pytest.raises(ValueError, match="cannot be decoded; it must be a complete JPEG or PNG file"):
        compressed_to_rgb(CompressedImage(format="jpeg", data=array("B", data)))


@pytest.mark.parametrize(("encoding", "dtype"), [("16UC1", "<u2"), ("mono16", "<u2"), ("32FC1", "<f4")])
@pytest.mark.parametrize("big_endian", [False, True])
def test_depth(encoding, dtype, big_endian):
    depth = np.arange(12).reshape(3, 4).astype(dtype)
    sent = depth.astype(np.dtype(dtype).newbyteorder(">")) if big_endian else depth
    found = image_to_depth(message(sent, encoding, width=4, height=3, padding=5, big_endian=big_endian))
    assert found.dtype == np.dtype(dtype)
    assert (found == depth).all()


def test_colour_is_no_depth():
    with pytest.raises(ValueError, match="the depth image has the encoding 'rgb8'; it must be one of 16UC1, .*32FC1$"):
        image_to_depth(message(PICTURE, "rgb8"))


def test_mask_is_true_where_it_is_not_zero():
    mask = np.array([[0, 1, 255]], np.uint8)
    assert image_to_mask(message(mask, "mono8", width=3, height=1)).tolist() == [[False, True, True]]
