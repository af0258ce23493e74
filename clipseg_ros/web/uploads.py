# SPDX-License-Identifier: Apache-2.0
"""Pictures and outlines that come from a browser, measured before memory is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from clipseg_ros.perception.encoded import decode, opaque, to_rgb
from clipseg_ros.perception.exif import upright
from clipseg_ros.web.packets import shrunk

MOST_BYTES = 12 * 2**20
MOST_PIXELS = 32_000_000
LONGEST_EXAMPLE = 1024
"""Pixels of a side; the network sees fewer."""

MOST_POINTS = 2000


def read_upload(data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """The picture in a file, (H, W, 3) uint8 RGB, upright, and of a cut-out what is opaque, (H, W) bool.

    ValueError, with a sentence, for what is no picture, incomplete or too large.
    """
    try:
        pixels, orientation = decode(np.frombuffer(data, np.uint8), most=MOST_PIXELS, only_measured=True)
        rgb = upright(to_rgb(pixels), orientation)
    except ValueError as error:
        raise ValueError(f"the file {error}") from None
    has_alpha = pixels.ndim == 3 and pixels.shape[2] == 4
    mask = opaque(upright(pixels[..., 3], orientation)) if has_alpha else None
    return example(rgb, mask)


def example(rgb: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """The same picture and mask, not larger than an example has to be."""
    if mask is not None:
        mask = shrunk(mask.astype(np.uint8), LONGEST_EXAMPLE, cv2.INTER_NEAREST) != 0
    return shrunk(rgb, LONGEST_EXAMPLE), mask


def mask_of_outline(points: Sequence[object], shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: what lies within a line that somebody drew.

    points : x, y, x, y, ... in pixels of a picture of that shape (H, W)

    ValueError, with a sentence, for what is no line or encloses nothing.
    """
    if not (isinstance(points, list) and 6 <= len(points) <= 2 * MOST_POINTS and len(points) % 2 == 0
            and all(isinstance(value, (int, float)) and math.isfinite(value) for value in points)):
        raise ValueError(f"the outline must be 3 to {MOST_POINTS} points; draw around the thing")
    line = np.clip(np.array(points, np.float64).reshape(-1, 2), -1, max(shape))
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(line).astype(np.int32)], 1)
    if not mask.any():
        raise ValueError("the outline lies outside of the picture; draw around the thing")
    return mask != 0
