# SPDX-License-Identifier: Apache-2.0
"""The shortcomings of an RGB-D camera: noise in colour and depth, and pixels without depth."""

from __future__ import annotations

import cv2
import numpy as np

_SPARE = 64  # pixels by which the bank of noise is larger than a picture


class Sensor:
    """Spoils pictures of one size; the noise is drawn once and shifted at random from frame to frame.

    Parameters
    ----------
    height, width : of the pictures, in pixels
    rng : draws the noise
    """

    def __init__(self, height: int, width: int, rng: np.random.Generator):
        self._rng = rng
        self._colour = rng.standard_normal((height + _SPARE, width + _SPARE, 3), np.float32)
        self._depth = rng.standard_normal((height + _SPARE, width + _SPARE), np.float32)
        self._patches = _unit_rank(cv2.GaussianBlur(rng.random(self._depth.shape, np.float32), (0, 0), 2.0))
        self._shape = (height, width)

    def colour(self, rgb: np.ndarray, noise: float) -> np.ndarray:
        """(H, W, 3) uint8 with Gaussian noise of a standard deviation in grey levels of 0-255."""
        if noise <= 0:
            return rgb
        return np.clip(rgb + self._window(self._colour) * np.float32(noise), 0, 255).astype(np.uint8)

    def depth(self, metres: np.ndarray, noise: float, dropout: float) -> np.ndarray:
        """(H, W) float32 metres; NaN unknown. noise: standard deviation in metres at 1 m, growing with the
        square of the distance; dropout: share of the pixels that lose their depth, in patches."""
        result = metres.astype(np.float32, copy=True)
        if noise > 0:
            result += self._window(self._depth) * np.float32(noise) * result**2
        if dropout > 0:
            result[self._window(self._patches) < dropout] = np.nan
        return result

    def _window(self, bank: np.ndarray) -> np.ndarray:
        top, left = self._rng.integers(0, _SPARE + 1, 2)
        return bank[top : top + self._shape[0], left : left + self._shape[1]]


def _unit_rank(values: np.ndarray) -> np.ndarray:
    """Each value's rank as a share in [0, 1): below x lies a share x of them."""
    ranks = np.empty(values.size, np.float32)
    ranks[np.argsort(values, axis=None)] = np.arange(values.size, dtype=np.float32) / values.size
    return ranks.reshape(values.shape)
