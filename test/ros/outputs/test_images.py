# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")
from pictures import PICTURE  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.ros.outputs.images import fill_image, to_image  # noqa: E402

pytestmark = pytest.mark.ros


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
