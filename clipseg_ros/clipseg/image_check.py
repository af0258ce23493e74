# SPDX-License-Identifier: Apache-2.0
"""What a picture must be."""

from __future__ import annotations

import numpy as np


def check_image(image: np.ndarray, name: str = "the image") -> None:
    """Raise ValueError, in a sentence about `name`, unless `image` is (H, W, 3) uint8 with pixels in it."""
    needed = "a NumPy array of shape (H, W, 3) and type uint8, RGB, is needed"
    if not isinstance(image, np.ndarray):
        raise ValueError(f"{name} is a {type(image).__name__}; {needed}")
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"{name} has the shape {image.shape}; {needed}")
    if image.dtype != np.uint8:
        raise ValueError(f"{name} has the type {image.dtype}; {needed}")
    if not image.size:
        raise ValueError(f"{name} is empty, {image.shape[1]}x{image.shape[0]} pixels; at least one pixel is needed")
