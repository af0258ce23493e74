# SPDX-License-Identifier: Apache-2.0
"""The node's raw images as RGB. Some encodings go through cv_bridge where that works; `bridge` says which, and why."""
from __future__ import annotations

import numpy as np
from sensor_msgs.msg import Image

from clipseg_ros.messages import images
from clipseg_ros.ros.inputs.bridge import BRIDGE, BRIDGED


def image_to_rgb(message: Image, *, mono16_range: str = "auto") -> np.ndarray:
    """(H, W, 3) uint8 RGB, as `messages.images.image_to_rgb` has it."""
    return images.image_to_rgb(message, mono16_range=mono16_range, sixteen_bits=_by_cv_bridge)


def _by_cv_bridge(message: Image, encoding: str, pixels: np.ndarray) -> np.ndarray | None:
    """RGB of an image in 16 bits, all of them in use, so that white is what cv_bridge takes for it: 65535."""
    return BRIDGE.to_rgb(message, encoding, pixels) if encoding in BRIDGED else None
