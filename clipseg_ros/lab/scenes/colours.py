# SPDX-License-Identifier: Apache-2.0
"""The named colours: drawing a shade that a person would call by the name, and naming a shade."""

from __future__ import annotations

import cv2
import numpy as np

# name: ranges of hue (degrees), saturation and value in [0, 1]
_SHADES = {
    "red": ((-6, 6), (0.82, 0.98), (0.62, 0.92)),
    "orange": ((24, 31), (0.88, 1.0), (0.92, 1.0)),
    "yellow": ((50, 57), (0.8, 1.0), (0.9, 1.0)),
    "green": ((105, 145), (0.6, 0.95), (0.38, 0.72)),
    "blue": ((208, 232), (0.7, 0.98), (0.55, 0.92)),
    "purple": ((270, 288), (0.55, 0.85), (0.42, 0.7)),
    "pink": ((328, 346), (0.36, 0.58), (0.93, 1.0)),
    "brown": ((18, 28), (0.6, 0.78), (0.28, 0.42)),
    "black": ((0, 360), (0.0, 0.15), (0.04, 0.1)),
    "white": ((0, 360), (0.0, 0.03), (0.94, 1.0)),
    "grey": ((0, 360), (0.0, 0.05), (0.4, 0.58)),
}


def shade(name: str, rng: np.random.Generator) -> tuple[float, float, float]:
    """RGB in [0, 1] of a colour that a person would call `name`, which must be one of the eleven."""
    hue, saturation, value = (rng.uniform(*bounds) for bounds in _SHADES[name])
    pixel = np.array([[[hue % 360, saturation, value]]], np.float32)
    return tuple(float(v) for v in cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0])


def name_of(rgb) -> str | None:
    """The name of an RGB colour in [0, 1], or None where people would disagree."""
    hue, saturation, value = cv2.cvtColor(np.array([[list(rgb)]], np.float32), cv2.COLOR_RGB2HSV)[0, 0]
    if value < 0.13:
        return "black"
    if saturation < 0.08:
        return "white" if value > 0.9 else "grey" if 0.32 < value < 0.66 else None
    hue = hue - 360 if hue > 352 else hue
    for name, (hues, saturations, values) in _SHADES.items():
        if name in ("black", "white", "grey"):
            continue
        if (
            hues[0] - 2 <= hue <= hues[1] + 2
            and saturations[0] - 0.08 <= saturation
            and values[0] - 0.05 <= value <= values[1] + 0.05
            and (name != "pink" or saturation < 0.65)
        ):
            return name
    return None
