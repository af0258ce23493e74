# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
from pictures import noise  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.ros.inputs.mixture import SPAN, Mixture  # noqa: E402

pytestmark = pytest.mark.ros

SMALL, LARGE = noise(1), noise(2, size=(96, 128))
LEFT, RIGHT, TOP = (CompressedImage(header=Header(frame_id=name), format="jpeg") for name in ("left", "right", "top"))


@pytest.mark.parametrize(("images", "pause", "mixed"), [
    ([SMALL] * 5, 0.1, ""),
    ([SMALL, SMALL, LARGE, LARGE, LARGE], 0.1, ""),  # its resolution was changed
    ([SMALL, LARGE, SMALL], SPAN, ""),  # and changed back
    ([SMALL, LARGE, SMALL], 0.1, "(camera_optical: 128x96 rgb8 and camera_optical: 64x48 rgb8)"),
    ([LEFT, LEFT, RIGHT, LEFT], 0.1, "(left: jpeg and right: jpeg)"),
    ([LEFT, RIGHT, TOP, LEFT], 0.1, "(left: jpeg and top: jpeg)"),
])
def test_only_images_that_arrive_in_turns_are_of_several_cameras(images, pause, mixed):
    now = [100.0]
    mixture = Mixture(clock=lambda: now[0])
    for image in images:
        now[0] += pause
        mixture.see(image)
    assert mixed in mixture.sentence and bool(mixed) == bool(mixture.sentence)
    now[0] += SPAN + 0.1
    assert not mixture.sentence
