# SPDX-License-Identifier: Apache-2.0
"""Messages of a camera of 64x48 pixels that looks at a wall."""
from __future__ import annotations

import numpy as np
from pictures import message, stamped
from sensor_msgs.msg import CameraInfo, Image

K = [50.0, 0.0, 21.5, 0.0, 50.0, 23.5, 0.0, 0.0, 1.0]
POSITION = (0.4, 0.0, 2.0)
"""Of the middle of a wall at 2 m, whose pixel is (31.5, 23.5)."""


def wall(stamp: int, millimetres: int = 2000, *, shape=(48, 64), frame: str = "camera_optical") -> Image:
    depth = np.full(shape, millimetres, np.uint16)
    return stamped(message(depth, "16UC1", width=shape[1], height=shape[0]), stamp, frame=frame)


def info(**changes) -> CameraInfo:
    return CameraInfo(**{"width": 64, "height": 48, "k": K, **changes})
