# SPDX-License-Identifier: Apache-2.0
"""What is known of the space that one picture shows."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clipseg_ros.perception.camera import Pinhole


class View(NamedTuple):
    """camera: that took the picture, None where its calibration is unknown; depth: (H, W) float32 metres in the
    picture's size, NaN where it was not measured, None without depth.
    """

    camera: Pinhole | None = None
    depth: np.ndarray | None = None
