# SPDX-License-Identifier: Apache-2.0
"""How opaque each pixel of a thing is: its mask, with an edge that follows the picture within a few pixels."""
from __future__ import annotations

import cv2
import numpy as np

from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.objects import Objects
from clipseg_ros.perception.patches import Patches

RADIUS = 4
"""Pixels around one from which its opacity is told; in pictures of 480 rows, and as large a part of others."""
SMOOTHNESS = 1e-4
"""Variance of the brightness, 0 to 1, below which the surroundings tell nothing, so that the mask is only blurred."""
SHARPNESS = 2.0
"""Times by which an edge's opacity is stretched about one half: the filter alone leaves a haze where a mask was ragged."""

_ROWS = 480


def alpha_of(mask: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """(H, W) float32 in [0, 1]: the opacity of what a mask shows.

    Where the mask's edge is near one of the picture, the opacity goes with the picture's brightness: a guided filter
    (He, Sun and Tang, "Guided image filtering", ECCV 2010, equations 5 to 8).

    Parameters
    ----------
    mask : (H, W) uint8, 255 on the thing and 0 elsewhere
    rgb : (H, W, 3) uint8, the picture

    Raises
    ------
    ValueError
        If the sizes differ.
    """
    if mask.shape != rgb.shape[:2]:
        raise ValueError(f"the mask has the shape {mask.shape} and the picture {rgb.shape[:2]}; they must be equal")
    guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    wanted = mask.astype(np.float32) / 255
    side = 2 * max(1, round(RADIUS * mask.shape[0] / _ROWS)) + 1

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)
    brightness, opacity = mean(guide), mean(wanted)
    slope = (mean(guide * wanted) - brightness * opacity) / (mean(guide * guide) - brightness * brightness + SMOOTHNESS)
    soft = mean(slope) * guide + mean(opacity - slope * brightness)
    return np.clip(SHARPNESS * (soft - 0.5) + 0.5, 0, 1)


def refined_alphas(maps: Maps, rgb: np.ndarray) -> np.ndarray:
    """(n, H, W) float32 in [0, 1]: the opacity of what each of n prompts means in the picture `rgb` (H, W, 3) uint8."""
    if not len(maps):
        return np.zeros(maps.values.shape, np.float32)
    masks = Objects(maps, Patches(rgb)).refined("objects").masks
    return np.stack([alpha_of(mask, rgb) for mask in masks])


def cut_out(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8 RGBA: the picture, as transparent as `alpha` (H, W) in [0, 1] says."""
    return np.dstack([rgb, np.rint(alpha * 255).astype(np.uint8)])
