# SPDX-License-Identifier: Apache-2.0
"""The seam between what the network says and what is made of it: maps in, better maps out."""
from __future__ import annotations

import numpy as np

from clipseg_ros.perception.maps import Maps


def refine(maps: Maps, rgb: np.ndarray, depth: np.ndarray | None) -> Maps:
    """The maps that masks and objects are made of: for now those of the network as they are.

    Parameters
    ----------
    rgb : (H, W, 3) uint8, the picture
    depth : (H, W) float32 metres, NaN where unknown; None without depth
    """
    return maps
