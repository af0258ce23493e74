# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs")
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.ros.messages import (  # noqa: E402
    COLOUR_ENCODINGS, camera_info, compressed_to_rgb, fill_image, image_to_depth, image_to_mask, image_to_rgb,
    to_image)
from pictures import PICTURE, encode, message  # noqa: E402

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
    with pytest.raises(ValueError, match="the depth image has the encoding 'rgb8'; it must be one of 16UC1"):
        image_to_depth(message(PICTURE, "rgb8"))


def test_mask_is_true_where_it_is_not_zero():
    mask = np.array([[0, 1, 255]], np.uint8)
    assert image_to_mask(message(mask, "mono8", width=3, height=1)).tolist() == [[False, True, True]]


@pytest.mark.parametrize(("pixels", "encoding"), [
    (PICTURE, "rgb8"), (PICTURE[..., 0], "mono8"), (PICTURE[:, ::2, 0], "mono8"),
    (PICTURE[..., 0].astype(np.float32), "32FC1"), (np.zeros((0, 64), np.float32), "32FC1"),
])
def test_an_array_goes_into_a_message_as_it_is(pixels, encoding):
    header = Header(frame_id="camera")
    sent = to_image(pixels, encoding, header)
    assert (sent.header, sent.encoding, sent.height, sent.width) == (header, encoding, *pixels.shape[:2])
    assert sent.step * sent.height == len(sent.data) == pixels.nbytes
    assert (np.frombuffer(sent.data, pixels.dtype).reshape(pixels.shape) == pixels).all()


def test_the_calibration_is_a_pinhole_without_distortion():
    info = camera_info(np.array([[500, 0, 320], [0, 510, 240], [0, 0, 1]]), (480, 640), Header(frame_id="camera"))
    assert (info.width, info.height, info.header.frame_id) == (640, 480, "camera")
    assert list(info.k) == [500, 0, 320, 0, 510, 240, 0, 0, 1]
    assert list(info.p) == [500, 0, 320, 0, 0, 510, 240, 0, 0, 0, 1, 0]
    assert not any(info.d)


def test_a_message_is_filled_again_in_its_own_memory():
    sent, header = Image(), Header(frame_id="camera")
    fill_image(sent, np.full((4, 6, 3), 7, np.uint8), "rgb8", header)
    memory = sent.data
    second = np.arange(18, dtype=np.float32).reshape(3, 6)
    assert fill_image(sent, second, "32FC1", header).data is memory, "as many bytes"
    assert sent == to_image(second, "32FC1", header)
    for pixels in (second[:2], second[:, ::2], second[:0], second):
        assert fill_image(sent, pixels, "32FC1", header) == to_image(pixels.copy(), "32FC1", header)
        assert bytes(sent.data) == pixels.tobytes()
