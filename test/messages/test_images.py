# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs")
from pictures import CHROMA_SHARES, GREYS, PICTURE, encode, message  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from clipseg_ros.messages.images import (  # noqa: E402
    COLOUR_ENCODINGS,
    alpha_to_mask,
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
    grey = np.repeat(cv2.cvtColor(PICTURE, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)
    expected = grey if encoding in GREYS else PICTURE
    tolerance = 4 if encoding.startswith(("bayer", "nv", "yuv", "yuyv", "uyvy", "i420", "yv")) else 0
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


@pytest.mark.parametrize("encoding", ["yuv420", "i420", "yv12", "nv12", "nv21", "nv24", "yuv422p"])
def test_chroma_by_hand(encoding):
    luma, blue, red = 81, 90, 240  # pure red in the limited range of BT.601
    u, v = ([red, blue] if encoding in ("nv21", "yv12") else [blue, red])
    size = {"nv24": 4, "yuv422p": 2}.get(encoding, 1)
    pairs = encoding.startswith("nv")
    data = bytes([luma] * 4) + (bytes([u, v] * size) if pairs else bytes([u] * size + [v] * size))
    sent = Image(width=2, height=2, step=2, encoding=encoding, data=array("B", data))
    assert np.abs(image_to_rgb(sent).astype(int) - [255, 0, 0]).max() <= 2


@pytest.mark.parametrize(("change", "says"), [
    ({"width": 0}, "empty: it is 0 pixels wide and 48 high"),
    ({"height": 0}, "empty"),
    ({"encoding": "rgb7"}, "'rgb7'; it must be one of rgb8, .*bayer_rggb16.* nv24, yuv420, i420, yv12, yuv422p$"),
    ({"encoding": ""}, "''; it must be"),
    ({"encoding": "32SC1"}, "'32SC1'; it must be"),
    ({"encoding": "32FC1"}, "'32FC1', which is depth; remap image to the topic of the picture, and depth to this one"),
    ({"encoding": "bgr16"}, "step of 192 bytes; 64 pixels of bgr16 need at least 384"),
    ({"encoding": "bayer_rggb16", "height": 47}, "bayer_rggb16 needs an even width and height"),
    ({"step": 191}, "step of 191 bytes; 64 pixels of rgb8 need at least 192"),
    ({"step": 197}, "9216 bytes of data; 48 rows of 197 bytes of rgb8 need at least 9451"),
    ({"height": 49}, "9216 bytes of data; 49 rows of 192 bytes of rgb8 need at least 9408"),
    ({"data": array("B", b"123")}, "3 bytes of data"),
    ({"data": array("B")}, "0 bytes of data"),
    ({"data": array("B", bytes(9216 + 65536))}, "74752 bytes of data; 48 rows .* need 9216, and less than twice that"),
    ({"encoding": "nv12", "height": 47, "step": 64}, "even width and height"),
    ({"encoding": "yuv422", "width": 63, "step": 126}, "even width"),
    ({"encoding": "yuv422p", "width": 63, "step": 63}, "even width"),
    ({"encoding": "yuv420", "step": 65}, "step of 65 bytes; it must be even for yuv420"),
    ({"encoding": "yuv420", "height": 98, "step": 64}, "98 rows of 64 bytes of yuv420 need at least 9408"),
    ({"encoding": "nv24", "height": 50, "step": 64}, "need at least 9600"),
    ({"encoding": "nv12", "height": 98, "step": 64}, "need at least 9408"),
])
def test_faulty_images_are_refused_with_a_sentence(change, says):
    sent = message(PICTURE, "rgb8")
    for name, value in change.items():
        setattr(sent, name, value)
    with pytest.raises(ValueError, match=says):
        image_to_rgb(sent)


@pytest.mark.parametrize("encoding", COLOUR_ENCODINGS)
@pytest.mark.parametrize("padding", [0, 4])
def test_no_byte_of_a_picture_may_be_missing(encoding, padding):
    sent = message(encode(PICTURE, encoding), encoding, padding=padding)
    expected = image_to_rgb(sent)
    last = int(padding * CHROMA_SHARES.get(encoding, 1))
    sent.data = sent.data[:len(sent.data) - last]
    assert (image_to_rgb(sent) == expected).all()
    sent.data = sent.data[:-1]
    with pytest.raises(ValueError, match=f"bytes of data; 48 rows of .* bytes of {encoding} need at least"):
        image_to_rgb(sent)


@pytest.mark.parametrize(("bits", "white"), [(8, 1023), (10, 1023), (12, 4095), (14, 16383), (15, 65535), (16, 65535)])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
def test_white_is_that_of_the_bits_in_use(encoding, bits, white):
    grey = np.array([[0, 2 ** bits // 2, 2 ** bits - 1]], "<u2")
    sent = message(grey, encoding, width=3, height=1)
    expected = np.rint(grey[0] * (255 / white))
    assert (image_to_rgb(sent)[0, :, 0] == expected).all()
    assert (image_to_rgb(sent, mono16_range="full")[0, :, 0] == np.rint(grey[0] * (255 / 65535))).all()


def test_an_unknown_range_is_refused():
    with pytest.raises(ValueError, match="16-bit pictures is 'bright'; it must be one of auto, full"):
        image_to_rgb(message(encode(PICTURE, "mono16"), "mono16"), mono16_range="bright")


def test_a_black_picture_of_16_bits_stays_black():
    assert not image_to_rgb(message(np.zeros((48, 64), "<u2"), "mono16")).any()


@pytest.mark.parametrize(("suffix", "tolerance"), [(".png", 0), (".jpg", 8), (".tiff", 0), (".bmp", 0), (".webp", 8)])
def test_compressed(suffix, tolerance):
    data = cv2.imencode(suffix, PICTURE[..., ::-1])[1].tobytes()
    rgb = compressed_to_rgb(CompressedImage(format=suffix, data=array("B", data)))
    assert np.abs(rgb.astype(int) - PICTURE).max() <= tolerance


@pytest.mark.parametrize("data", [b"", b"no picture", b"\0\0\0\1\x67\x42"])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(ValueError, match="format 'h264'. is not a picture that can be read; PNG and JPEG can"):
        compressed_to_rgb(CompressedImage(format="h264", data=array("B", data)))


def test_a_file_of_other_numbers_is_refused():
    data = cv2.imencode(".tiff", np.zeros((4, 4), np.float32))[1].tobytes()
    with pytest.raises(ValueError, match="has float32 pixels; they must have 8 or 16 bits"):
        compressed_to_rgb(CompressedImage(format="tiff", data=array("B", data)))


@pytest.mark.parametrize("encoding", ["rgba8", "bgra8", "8UC4", "rgba16", "bgra16", "16UC4"])
def test_the_mask_of_a_cut_out_is_its_opacity(encoding):
    rows = encode(PICTURE, encoding)
    assert alpha_to_mask(message(rows, encoding)) is None, "the same everywhere"
    most = np.iinfo(rows.dtype).max
    rows[..., 3] = 0
    rows[10:20, 10:30, 3] = most
    rows[20:22, 10:30, 3] = most // 4
    mask = alpha_to_mask(message(rows, encoding, padding=3))
    expected = np.zeros((48, 64), bool)
    expected[10:20, 10:30] = True
    assert mask.dtype == bool and np.array_equal(mask, expected)


@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "16UC3", "nv12"])
def test_an_image_without_opacity_has_no_mask(encoding):
    assert alpha_to_mask(message(encode(PICTURE, encoding), encoding)) is None


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
