# SPDX-License-Identifier: Apache-2.0
"""Messages whose data is not in the processor's memory, as they may be since ROS 2 Lyrical."""
from __future__ import annotations

import pytest

pytest.importorskip("sensor_msgs")
from pictures import PICTURE, encode, message  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from clipseg_ros.messages.compressed_depth import compressed_to_depth  # noqa: E402
from clipseg_ros.messages.images import (  # noqa: E402
    alpha_to_mask,
    compressed_to_rgb,
    image_to_depth,
    image_to_mask,
    image_to_rgb,
)

pytestmark = pytest.mark.ros


class Buffer:
    """What rosidl_buffer.Buffer shows to Python."""

    backend_type = "cuda"

    def __init__(self, data) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)


def raw(encoding: str):
    sent = message(encode(PICTURE, encoding), encoding)
    sent._data = Buffer(sent.data)  # the field's own check is of this ROS 2, which knows no buffers
    return sent


def compressed(text: str):
    sent = CompressedImage(format=text)
    sent._data = Buffer(b"anything")
    return sent


@pytest.mark.parametrize("read, sent, name", [
    (image_to_rgb, raw("rgb8"), "the image"), (image_to_rgb, raw("rgb16"), "the image"),
    (image_to_mask, raw("mono8"), "the mask"), (image_to_depth, raw("16UC1"), "the depth image"),
    (alpha_to_mask, raw("rgba8"), "the image"), (compressed_to_rgb, compressed("jpeg"), "the compressed image"),
    (compressed_to_depth, compressed("16UC1; compressedDepth png"), "the depth image"),
])
def test_it_is_refused_in_a_sentence(read, sent, name):
    with pytest.raises(ValueError, match=f"^{name} has its data in a buffer of the backend 'cuda'; it must be in the"):
        read(sent)
