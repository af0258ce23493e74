# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytestmark = pytest.mark.ros


def test_depth_in_millimetres():
    from clipseg_ros.ros.demo_player import millimetres

    depth = np.array([[0.0, 1.2344, np.nan], [65.5, 70.0, np.inf]], np.float32)
    assert millimetres(depth).tolist() == [[0, 1234, 0], [65500, 65535, 65535]]
    assert millimetres(depth).dtype == np.uint16


def test_the_calibration_is_a_pinhole_without_distortion():
    from std_msgs.msg import Header

    from clipseg_ros.ros.demo_player import camera_info

    info = camera_info(np.array([[500, 0, 320], [0, 510, 240], [0, 0, 1]]), (480, 640), Header(frame_id="camera"))
    assert (info.width, info.height, info.header.frame_id) == (640, 480, "camera")
    assert list(info.k) == [500, 0, 320, 0, 510, 240, 0, 0, 1]
    assert list(info.p) == [500, 0, 320, 0, 0, 510, 240, 0, 0, 0, 1, 0]
    assert not any(info.d)
