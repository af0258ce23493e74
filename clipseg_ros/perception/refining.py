# SPDX-License-Identifier: Apache-2.0
"""Maps that are published instead of the network's: on its scale, with edges and objects of the picture."""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.regions import Region


def fine(coarse: np.ndarray, step: int) -> np.ndarray:
    """(step h, step w) of the same type: an image (h, w) of a coarse grid `step` times as large, bilinearly."""
    if step == 1:
        return coarse
    return cv2.resize(coarse, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)


def with_masks(maps: Maps, levels: np.ndarray, step: int, regions: Sequence[Sequence[Region]] | None) -> Maps:
    """Maps of the size, type, scale and thresholds of `maps` with other probabilities.

    Parameters
    ----------
    levels : (p, h, w) float32 in [0, 1] on a grid that is `step` times as coarse
    regions : of each prompt; where they are given, exactly their pixels reach the prompt's threshold
    """
    values = np.stack([_written(level, maps, step) for level in levels])
    if regions is not None:
        for one, threshold, found in zip(values, maps.thresholds, regions, strict=True):
            _limit(one, threshold, found)
    return Maps(values, maps.thresholds, maps.full_scale)


def _written(level: np.ndarray, maps: Maps, step: int) -> np.ndarray:
    """(H, W) of the type and scale of the maps; where the grid ends too early, its last pixels go on."""
    (height, width), large = maps.size, fine(level, step)
    large = cv2.copyMakeBorder(large, 0, height - large.shape[0], 0, width - large.shape[1], cv2.BORDER_REPLICATE)
    if maps.values.dtype == np.uint8:
        return cv2.convertScaleAbs(large, alpha=maps.full_scale)
    return large * np.float32(maps.full_scale) if maps.full_scale != 1 else large


def _limit(values: np.ndarray, threshold: float, regions: Sequence[Region]) -> None:
    """Raise the values (H, W) of the regions' pixels to the threshold, and lower the others below it, in place."""
    least = values.dtype.type(threshold)
    below = least - 1 if values.dtype == np.uint8 else np.nextafter(least, np.float32(0))
    inside = np.zeros(values.shape, np.uint8)
    for region in regions:
        x, y, width, height = region.roi
        box = inside[y:y + height, x:x + width]
        np.bitwise_or(box, region.mask, out=box)
    raised = cv2.max(values, float(least))
    cv2.min(values, float(below), dst=values)
    cv2.copyTo(raised, inside, values)
