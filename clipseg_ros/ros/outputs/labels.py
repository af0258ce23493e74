# SPDX-License-Identifier: Apache-2.0
"""Which prompt, and which object, each pixel shows: images as planners and pose estimators take them."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clipseg_ros.perception.regions import Region

if TYPE_CHECKING:
    from clipseg_ros.ros.seen import Seen


def label_mask(seen: Seen) -> np.ndarray:
    """(h, w) uint8 in the size of the label images: 1 for the first prompt, 2 for the second, ..., 0 for none."""
    return seen.sampled(seen.maps.labels) + np.uint8(1)  # NO_PROMPT, 255, becomes 0


def confidence(seen: Seen) -> np.ndarray:
    """(h, w) uint8 in the size of the label images: probability of the pixel's label, 255 for 1, and 0 without one."""
    maps, labels = seen.maps, seen.sampled(seen.maps.labels)
    best = np.zeros(labels.shape, np.float32)
    for index, values in enumerate(maps.values):
        np.copyto(best, seen.sampled(values), where=labels == index)
    return np.rint(best * np.float32(255 / maps.full_scale)).astype(np.uint8)


def instances(seen: Seen) -> np.ndarray:
    """(H, W) uint16, or int32 where a number needs it: the object's track_id, 0 for none.

    Without tracking an object's number is its place in ~/objects, from 1 on. Where two overlap, the better score wins.
    """
    numbers = [one.track_id or place for place, one in enumerate(seen.objects, 1)]
    image = np.zeros(seen.maps.size, np.uint16 if max(numbers, default=0) <= np.iinfo(np.uint16).max else np.int32)
    for one, number in sorted(zip(seen.objects, numbers), key=lambda pair: pair[0].region.score):
        _paint(image, one.region, number)
    return image


def object_mask(seen: Seen) -> np.ndarray:
    """(H, W) uint8: 255 on the chosen object, 0 elsewhere, and everywhere while it is not seen."""
    image = np.zeros(seen.maps.size, np.uint8)
    if seen.picked is not None:
        _paint(image, seen.picked.region, 255)
    return image


def _paint(image: np.ndarray, region: Region, value: int) -> None:
    x, y, width, height = region.roi
    image[y:y + height, x:x + width][region.mask > 0] = value
