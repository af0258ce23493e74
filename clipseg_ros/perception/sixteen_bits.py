# SPDX-License-Identifier: Apache-2.0
"""Pictures of 16 bits, of which cameras often use 10, 12 or 14 only, made to pictures of 8."""
from __future__ import annotations

import cv2
import numpy as np

RANGES = ("auto", "full")
"""auto: by what the picture holds; full: by all 16 bits."""

FULL = 65535
_USED_BITS = (10, 12, 14)


def white_level(pixels: np.ndarray, range_: str = "auto") -> int:
    """The value in uint16 `pixels` that stands for white.

    With auto it is the largest one of the fewest among 10, 12, 14 and 16 bits that hold the largest value: each picture
    by itself, so that the same one always looks the same. ValueError for a range that is none of `RANGES`.
    """
    if range_ not in RANGES:
        raise ValueError(f"the range of 16-bit pictures is {range_!r}; it must be one of {', '.join(RANGES)}")
    if range_ == "full":
        return FULL
    largest = int(pixels.max(initial=0))
    return next((2 ** bits - 1 for bits in _USED_BITS if largest < 2 ** bits), FULL)


def to_eight_bits(pixels: np.ndarray, white: int) -> np.ndarray:
    """uint8 of the same shape: 0 to `white` becomes 0 to 255."""
    return cv2.convertScaleAbs(pixels, alpha=255 / white).reshape(pixels.shape)
