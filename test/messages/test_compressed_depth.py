# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
import zlib
from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs")
from sensor_msgs.msg import CompressedImage  # noqa: E402

from clipseg_ros.messages.compressed_depth import compressed_to_depth  # noqa: E402

pytestmark = pytest.mark.ros

NAN = float("nan")
DEPTH = np.array([[0, 1, 500], [1234, 65534, 65535]], np.uint16)
HEADER = struct.pack("<iff", 0, 24.0, -1.0)
# Width 4, height 2, and the image that test_rvl.py works by hand.
RVL = bytes.fromhex("04000000 02000000 2145a123 000000a1")
RVL_PIXELS = [[0, 0, 5, 7], [4, 0, 0, 9]]
RVL_METRES = [[NAN, NAN, 4.0, 3.0], [4.8, NAN, NAN, 2.4]]  # 24 / (pixel + 1)


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def tiff(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".tiff", pixels)[1].tobytes()


def sent(text: str, data: bytes) -> CompressedImage:
    return CompressedImage(format=text, data=array("B", data))


def quantised(depth: np.ndarray, *, max_depth: float = 10.0, quantisation: float = 100.0) -> tuple[bytes, np.ndarray]:
    """The header and the (H, W) uint16 inverse depths that a publisher of 32FC1 makes, pixel by pixel."""
    a = quantisation * (quantisation + 1)
    b = 1 - a / max_depth
    pixels = [[int(a / metres + b) if metres < max_depth else 0 for metres in row] for row in depth.tolist()]
    return struct.pack("<iff", 0, a, b), np.array(pixels, np.uint16)


def resized_png(width: int, height: int) -> bytes:
    """A PNG file that says it is of this size, with room for a few pixels only."""
    data = bytearray(png(DEPTH))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.parametrize("text", [
    "16UC1",
    "16UC1;",
    "16UC1; compressedDepth",
    "16UC1; compressedDepth ",
    "16UC1;compressedDepth png",
    "16UC1; compressedDepth png",
    "mono16; compressedDepth png",
])
def test_png_of_every_publisher(text):
    depth, encoding = compressed_to_depth(sent(text, HEADER + png(DEPTH)))
    assert (encoding, depth.dtype, depth.tolist()) == ("16UC1", np.uint16, DEPTH.tolist())


@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
def test_rvl(encoding):
    depth, found = compressed_to_depth(sent(f"{encoding}; compressedDepth rvl", HEADER + RVL))
    assert (found, depth.dtype, depth.tolist()) == ("16UC1", np.uint16, RVL_PIXELS)


@pytest.mark.parametrize(("text", "data"), [
    ("32FC1; compressedDepth rvl", RVL),
    ("32FC1; compressedDepth png", png(np.array(RVL_PIXELS, np.uint16))),
    ("32FC1; compressedDepth", png(np.array(RVL_PIXELS, np.uint16))),
    ("32FC1", png(np.array(RVL_PIXELS, np.uint16))),
])
def test_inverse_depth_worked_by_hand(text, data):
    depth, encoding = compressed_to_depth(sent(text, HEADER + data))
    assert (encoding, depth.dtype) == ("32FC1", np.float32)
    np.testing.assert_allclose(depth, RVL_METRES, rtol=1e-6)


@pytest.mark.parametrize("limits", [{}, {"max_depth": 4.0}, {"quantisation": 30.0}])
def test_metres_come_back_within_the_quantisation(limits):
    rng = np.random.default_rng(1)
    metres = rng.uniform(0.3, 3.9, (48, 64))
    metres[rng.random(metres.shape) < 0.1] = np.nan
    header, pixels = quantised(metres, **limits)
    depth, _ = compressed_to_depth(sent("32FC1; compressedDepth png", header + png(pixels)))
    assert (np.isnan(depth) == np.isnan(metres)).all()
    step = metres * depth / struct.unpack("<iff", header)[1]
    error = (depth - metres)[~np.isnan(metres)]
    # rounded down before the inversion, so never nearer than it was
    assert error.min() >= -1e-5
    assert (error <= step[~np.isnan(metres)] + 1e-5).all()
    assert error.max() > 1e-4


def test_what_is_too_far_to_be_measured_is_nan():
    header, pixels = quantised(np.array([[9.99, 10.0, 11.0, np.inf, np.nan]]))
    depth, _ = compressed_to_depth(sent("32FC1; compressedDepth png", header + png(pixels)))
    assert np.isnan(depth).tolist() == [[False, True, True, True, True]]
    # without a largest depth b is 1, and the pixel 1 stands for infinity
    header = struct.pack("<iff", 0, 24.0, 1.0)
    depth, _ = compressed_to_depth(sent("32FC1; compressedDepth png", header + png(np.array([[1, 2]], np.uint16))))
    np.testing.assert_array_equal(depth, [[NAN, 24.0]])


def test_the_quantisation_of_16_bit_depth_may_be_rubbish():
    depth, _ = compressed_to_depth(sent("16UC1; compressedDepth png", b"\xff" * 12 + png(DEPTH)))
    assert depth.tolist() == DEPTH.tolist()


DISTORTED = "and JPEG distorts depths; subscribe to the topic that ends in /compressedDepth instead, or .* 16UC1 as png"
NOT_KEPT = "is not kept in it; subscribe to the topic that ends in /compressedDepth instead"
NOT_DEPTH = "must begin with one of 16UC1, mono16, 32FC1, as on a topic that ends in /compressedDepth"


@pytest.mark.parametrize(("text", "says"), [
    ("16UC1; jpeg compressed ", DISTORTED),
    ("16UC1;jpg compressed", DISTORTED),
    ("32FC1; jpeg compressed ", DISTORTED),
    ("32FC1; png compressed ", NOT_KEPT),
    ("16UC1; webp compressed ", NOT_KEPT),
    ("16UC1; compresseddepth", NOT_KEPT),
    ("rgb8; jpeg compressed bgr8", NOT_DEPTH),
    ("rgb8; png compressed bgr8", NOT_DEPTH),
    ("jpeg", NOT_DEPTH),
    ("png", NOT_DEPTH),
    ("zstd", NOT_DEPTH),
    ("", NOT_DEPTH),
    ("; compressedDepth png", NOT_DEPTH),
    ("bgr8; compressedDepth png", NOT_DEPTH),
    ("x" * 10_000, "'x{60}'; it " + NOT_DEPTH),
    ("16UC1; compressedDepth zfp", "'16UC1; compressedDepth zfp'; after compressedDepth must follow png, rvl or"),
    ("16UC1; compressedDepth png rvl", "after compressedDepth must follow"),
])
def test_another_format_is_refused_with_a_sentence(text, says):
    with pytest.raises(ValueError, match=f"the depth image has the format .*{says}"):
        compressed_to_depth(sent(text, HEADER + png(DEPTH)))


COLOURS = np.zeros((4, 4, 3), np.uint16)
NO_PNG, INCOMPLETE = "has no PNG file after its header of 12 bytes", "in its (header|data); it must be complete"


@pytest.mark.parametrize(("code", "data", "says"), [
    ("png", b"", "has 0 bytes of data; 12 bytes of header"),
    ("png", HEADER, "has 12 bytes of data"),
    ("png", HEADER + b"\x89PNG", NO_PNG),
    ("png", HEADER + RVL * 9, NO_PNG),
    ("png", HEADER + cv2.imencode(".jpg", np.zeros((9, 9), np.uint8))[1].tobytes(), NO_PNG),
    ("png", HEADER + png(DEPTH.astype(np.uint8)), "8 bits per sample and colour type 0; it must have 16 bits"),
    ("png", HEADER + png(COLOURS), "16 bits per sample and colour type 2; it must have 16 bits and colour type 0"),
    ("png", HEADER + png(DEPTH)[:26], INCOMPLETE),
    ("png", HEADER + png(DEPTH)[:-20], INCOMPLETE),
    ("png", HEADER + resized_png(3, 30), "cannot be decoded; it must be a complete"),
    ("png", HEADER + resized_png(2 ** 31 - 1, 2 ** 31 - 1), "a PNG file of 2147483647x2147483647 pixels; .* at most"),
    ("png", HEADER + resized_png(6000, 6000), "a PNG file of 6000x6000 pixels; .* at most 33554432 pixels"),
    ("png", HEADER + resized_png(0, 2), "a PNG file of 0x2 pixels"),
    ("rvl", HEADER + png(DEPTH), "said to be"),
    ("rvl", HEADER + RVL[:7], "has 7 bytes of RVL data; its width and height alone must take 8"),
    ("rvl", HEADER + RVL[:8], "is cut off"),
    ("rvl", HEADER + RVL[:-4], "is cut off"),
    ("rvl", HEADER + bytes(8) + RVL[8:], "said to be 0x0 pixels"),
    ("rvl", HEADER + b"\xff" * 8 + RVL[8:], "said to be 4294967295x4294967295 pixels"),
])
@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_faulty_data_is_refused_with_a_sentence(encoding, code, data, says):
    with pytest.raises(ValueError, match=f"the depth image .*{says}"):
        compressed_to_depth(sent(f"{encoding}; compressedDepth {code}", data))


@pytest.mark.parametrize(("text", "data"), [
    ("16UC1; png compressed ", png(DEPTH)),
    ("16UC1;png compressed", png(DEPTH)),
    ("mono16; PNG compressed", png(DEPTH)),
    ("16UC1; png compressed ", HEADER + png(DEPTH)),
    ("16UC1; tiff compressed ", tiff(DEPTH)),
    ("png", png(DEPTH)),
    ("", png(DEPTH)),
    ("16UC1; compressedDepth png", png(DEPTH)),
    ("16UC1", png(DEPTH)),
    ("16UC1; compressedDepth png", HEADER + png(DEPTH)[:-12]),
    ("16UC1; png compressed ", png(DEPTH)[:-5]),
])
def test_millimetres_in_a_lossless_picture_and_without_an_end_mark(text, data):
    depth, encoding = compressed_to_depth(sent(text, data))
    assert (encoding, depth.dtype, depth.tolist()) == ("16UC1", np.uint16, DEPTH.tolist())


def test_metres_in_a_lossless_picture():
    metres = np.array([[NAN, 0.25], [3.5, 1e-3]], np.float32)
    depth, encoding = compressed_to_depth(sent("32FC1; tiff compressed ", tiff(metres)))
    assert (encoding, depth.dtype) == ("32FC1", np.float32)
    np.testing.assert_array_equal(depth, metres)


@pytest.mark.parametrize(("text", "data", "says"), [
    ("16UC1; png compressed ", png(DEPTH.astype(np.uint8)), "8 bits per sample and colour type 0; it must have 16"),
    ("png", png(np.zeros((4, 4, 3), np.uint8)), "8 bits per sample and colour type 2; it must have 16 bits"),
    ("16UC1; png compressed ", png(DEPTH)[:-20], "is a PNG file that ends in its data; it must be complete"),
    ("16UC1; png compressed ", b"nothing", "of 7 bytes is not a picture that can be read"),
    ("16UC1; tiff compressed ", tiff(DEPTH.astype(np.uint8)), "a file of uint8 numbers, 1 a pixel; for 16UC1 each"),
    ("32FC1; tiff compressed ", tiff(DEPTH), "uint16 numbers, 1 a pixel; for 32FC1 each pixel must be one float32"),
    ("16UC1; tiff compressed ", tiff(np.zeros((4, 4, 3), np.uint16)), "uint16 numbers, 3 a pixel"),
])
def test_a_picture_without_such_depths_is_refused_with_a_sentence(text, data, says):
    with pytest.raises(ValueError, match=f"the depth image .*{says}"):
        compressed_to_depth(sent(text, data))


def test_metres_need_the_header():
    with pytest.raises(ValueError, match=NO_PNG):
        compressed_to_depth(sent("32FC1; compressedDepth png", png(DEPTH)))


@pytest.mark.parametrize(("header", "says"), [
    ((-1, 24.0, -1.0), "in a way with the number -1; it must be 0, inverse depth"),
    ((0, 0.0, 0.0), "a = 0 and b = 0; both must be finite, a positive"),
    ((0, -24.0, -1.0), "a = -24 and b = -1"),
    ((0, NAN, -1.0), "a = nan"),
    ((0, float("inf"), -1.0), "a = inf"),
    ((0, 24.0, NAN), "b = nan"),
    ((0, 24.0, -float("inf")), "b = -inf"),
    ((0, 24.0, 1.5), "b = 1.5; both must be finite, a positive and b at most 1"),
])
def test_a_quantisation_that_makes_no_depth_is_refused(header, says):
    with pytest.raises(ValueError, match=says):
        compressed_to_depth(sent("32FC1; compressedDepth rvl", struct.pack("<iff", *header) + RVL))


@pytest.mark.parametrize("code", ["png", "rvl"])
@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
@pytest.mark.filterwarnings("error")
def test_damaged_messages_give_a_depth_image_or_a_sentence(encoding, code):
    rng = np.random.default_rng(2)
    whole = HEADER + (png(np.array(RVL_PIXELS, np.uint16)) if code == "png" else RVL)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        # the size before RVL data is left alone, since a large one is legitimate and takes memory
        place = int(rng.choice([*range(12), *range(20 if code == "rvl" else 12, len(data))]))
        if rng.random() < 0.5:
            data[place] ^= 1 << int(rng.integers(8))
        else:
            del data[place:]
        try:
            depth, found = compressed_to_depth(sent(f"{encoding}; compressedDepth {code}", bytes(data)))
        except ValueError as error:
            assert str(error).startswith("the depth image ")
            refused += 1
        else:
            assert (found, depth.dtype) == (encoding, np.uint16 if encoding == "16UC1" else np.float32)
            assert depth.ndim == 2
            assert encoding == "16UC1" or not (depth <= 0).any()
    assert 100 < refused < 300
