# SPDX-License-Identifier: Apache-2.0
"""Random changes of a training picture: where it is cut, how it is lit, how clean it is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class AugmentConfig:
    """How much pictures vary; every number 0 (flip False) leaves them as they are.

    Attributes
    ----------
    flip : mirror half of the pictures
    brightness, contrast : largest relative change, each way
    temperature : of red against blue
    noise : largest standard deviation in grey levels
    blur : largest standard deviation in pixels
    """

    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    temperature: float = 0.0
    noise: float = 0.0
    blur: float = 0.0


@dataclass(frozen=True)
class Window:
    """A rectangle of a picture in pixels."""

    left: int
    top: int
    width: int
    height: int

    def cut(self, array: np.ndarray) -> np.ndarray:
        """Return the part of (H, W, ...) inside the window, as a view."""
        return array[self.top : self.top + self.height, self.left : self.left + self.width]


def zoom_window(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    zoom: tuple[float, float],
    stretch: float = 0.0,
    focus: tuple[float, float] | None = None,
) -> Window:
    """A window that is smaller than `shape` (H, W) by a factor drawn log-uniformly from `zoom`, on either side.

    `stretch` is the largest relative change of its aspect ratio. The window stays inside `shape` and, if
    `focus` (x, y) is given, holds that point, anywhere within it.
    """
    factor = np.exp(rng.uniform(np.log(zoom[0]), np.log(zoom[1])))
    aspect = np.exp(rng.uniform(-0.5, 0.5) * np.log1p(stretch))
    width = int(np.clip(round(shape[1] / factor * aspect), 8, shape[1]))
    height = int(np.clip(round(shape[0] / factor / aspect), 8, shape[0]))
    left = _start(width, shape[1], None if focus is None else focus[0], rng)
    top = _start(height, shape[0], None if focus is None else focus[1], rng)
    return Window(left, top, width, height)


def square_window(mask: np.ndarray, rng: np.random.Generator, *, keep: float = 0.05, tries: int = 20) -> Window:
    """A random square that keeps at least `keep` of the mask's pixels; with an empty mask any square will do.

    Its side is the shorter side of (H, W), as in the paper. If `tries` squares keep too little of the object, the
    one with the most of it is taken.
    """
    height, width = mask.shape
    side = min(height, width)
    total = np.count_nonzero(mask)
    for _ in range(tries):
        window = Window(_start(side, width, None, rng), _start(side, height, None, rng), side, side)
        if np.count_nonzero(window.cut(mask)) >= keep * total:
            return window
    return _densest_square(mask, side)


def _densest_square(mask: np.ndarray, side: int) -> Window:
    """The square of `side` pixels with the most object in it: it slides along the longer side of the picture."""
    axis = 1 if mask.shape[1] > mask.shape[0] else 0
    profile = np.concatenate([[0], np.cumsum(np.count_nonzero(mask, axis=1 - axis))])
    start = int(np.argmax(profile[side:] - profile[:-side]))
    return Window(start, 0, side, side) if axis == 1 else Window(0, start, side, side)


def _start(length: int, limit: int, focus: float | None, rng: np.random.Generator) -> int:
    low, high = 0, limit - length
    if focus is not None:
        low, high = max(low, int(np.ceil(focus)) + 1 - length), min(high, int(focus))
    return int(rng.integers(low, max(low, high) + 1))


def relight(image: np.ndarray, rng: np.random.Generator, config: AugmentConfig) -> np.ndarray:
    """Change brightness, contrast and colour temperature, blur and add noise; (H, W, 3) uint8 to the same."""
    if config.blur > 0 and rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.0) * config.blur)
    gain = np.full(3, 1.0 + rng.uniform(-1, 1) * config.brightness)
    warmth = rng.uniform(-1, 1) * config.temperature
    gain *= 1.0 + warmth * np.array([1.0, 0.0, -1.0])
    slope = 1.0 + rng.uniform(-1, 1) * config.contrast
    levels = np.arange(256)[:, None]
    table = (levels * gain - 128.0) * slope + 128.0
    image = cv2.LUT(image, np.clip(np.rint(table), 0, 255).astype(np.uint8)[None])
    if config.noise > 0 and rng.random() < 0.5:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(noise, (0,) * 3, (float(rng.uniform(0, config.noise)),) * 3)
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    return image
