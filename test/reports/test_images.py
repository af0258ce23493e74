# SPDX-License-Identifier: Apache-2.0
"""What people reported of raw images: data longer or shorter than step x height, encodings, bits that nobody uses."""
from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs")
from pictures import EIGHT_BITS, PICTURE, encode, message  # noqa: E402

from clipseg_ros.messages.images import alpha_to_mask, image_to_depth  # noqa: E402
from clipseg_ros.ros.inputs import images  # noqa: E402
from clipseg_ros.ros.inputs.bridge import Bridge  # noqa: E402
from clipseg_ros.ros.inputs.images import image_to_rgb  # noqa: E402

pytestmark = pytest.mark.ros

GREY = np.repeat(cv2.cvtColor(PICTURE, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)


def near(rgb: np.ndarray, expected: np.ndarray, tolerance: int = 0) -> bool:
    """Whether two pictures are the same, their borders aside."""
    return rgb.shape == expected.shape and np.abs(rgb.astype(int) - expected)[2:-2, 2:-2].max() <= tolerance


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono16", "yuv422_yuy2", "bayer_rggb8", "nv12", "yuv420"])
def test_data_in_whole_pages(encoding):
    sent = message(encode(PICTURE, encoding), encoding)
    expected = image_to_rgb(sent)
    sent.data = sent.data + array("B", bytes(range(256)) * 16)
    assert near(image_to_rgb(sent), expected)


def test_depth_in_whole_pages():
    depth = np.arange(48 * 64, dtype="<u2").reshape(48, 64)
    sent = message(depth, "16UC1")
    sent.data = sent.data + array("B", bytes(4096))
    assert (image_to_depth(sent) == depth).all()


@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "bgr16", "bayer_rggb8", "nv12", "uyvy"])
def test_the_padding_of_the_last_row_may_be_missing(encoding):
    sent = message(encode(PICTURE, encoding), encoding, padding=16)
    expected = image_to_rgb(sent)
    sent.data = sent.data[:-16]
    assert near(image_to_rgb(sent), expected)


def test_data_three_times_as_long_are_another_encoding():
    sent = message(np.zeros((480, 640), np.uint8), "mono8", width=640, height=480)
    sent.data = sent.data * 3
    with pytest.raises(ValueError, match="921600 bytes of data; 480 rows of 640 bytes of mono8 need 307200, and less"):
        image_to_rgb(sent)


@pytest.mark.parametrize("encoding", EIGHT_BITS)
def test_colours_of_16_bits_need_no_cv_bridge(monkeypatch, encoding):
    bridge = Bridge()
    monkeypatch.setattr(bridge, "fault", lambda: "is not installed")
    monkeypatch.setattr(images, "BRIDGE", bridge)
    assert near(image_to_rgb(message(encode(PICTURE, encoding), encoding)), PICTURE, 4)


@pytest.mark.parametrize("encoding", ["yuv420", "YUV420", "i420", "I420", "yv12", "yuv422p", "nv24", "NV12", "YUYV",
                                      "BGR8"])
@pytest.mark.parametrize("padding", [0, 8])
def test_what_drivers_call_their_pictures(encoding, padding):
    sent = message(encode(PICTURE, encoding.lower()), encoding.lower(), padding=padding)
    sent.encoding = encoding
    assert near(image_to_rgb(sent), PICTURE, 4)


@pytest.mark.parametrize(("encoding", "step"), [("yuv420", 96), ("nv12", 96), ("yuv422p", 128), ("nv24", 192)])
def test_a_step_that_counts_the_colours_in(encoding, step):
    sent = message(encode(PICTURE, encoding), encoding)
    sent.step = step
    assert near(image_to_rgb(sent), PICTURE, 4)


@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_thermal_picture_is_neither_refused_nor_black(encoding, bits):
    grey = encode(PICTURE, encoding) >> (16 - bits)
    assert near(image_to_rgb(message(grey, encoding)), GREY, 1)
    assert near(image_to_rgb(message(grey, encoding), mono16_range="full"), GREY >> (16 - bits), 1)


@pytest.mark.parametrize("encoding", ["rgb16", "bayer_grbg16"])
def test_twelve_bits_of_colour_are_not_black(encoding):
    assert near(image_to_rgb(message(encode(PICTURE, encoding) >> 4, encoding)), PICTURE, 4)


def test_metres_on_the_topic_of_a_picture_name_the_topic_of_depth():
    with pytest.raises(ValueError, match="'32FC1', which is depth; remap image to the .*, and depth to this one"):
        image_to_rgb(message(np.ones((48, 64), "<f4"), "32FC1"))


def test_the_transparency_of_a_cut_out_is_its_mask():
    cut = np.concatenate([PICTURE, np.zeros((48, 64, 1), np.uint8)], axis=-1)
    cut[10:20, 5:9, 3] = 255
    mask = alpha_to_mask(message(cut, "rgba8"))
    assert mask.sum() == 40 and mask[10:20, 5:9].all()


def test_the_fourth_channel_of_a_camera_is_no_mask():
    assert alpha_to_mask(message(encode(PICTURE, "bgra8"), "bgra8")) is None
