# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytestmark = pytest.mark.ros


def test_depth_in_millimetres():
    from clipseg_ros.demo.player import millimetres

    depth = np.array([[0.0, 1.2344, np.nan], [65.5, 70.0, np.inf]], np.float32)
    assert millimetres(depth).tolist() == [[0, 1234, 0], [65500, 65535, 65535]]
    assert millimetres(depth).dtype == np.uint16
