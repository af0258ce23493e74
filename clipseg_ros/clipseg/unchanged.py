# SPDX-License-Identifier: Apache-2.0
"""Whether a camera still sees what it saw: its last frame's features then do for the new one."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import cv2
import numpy as np

SMALL = (32, 24)
"""Columns and rows of the copies that are compared."""


class UnchangedScene:
    """Decides from small copies; the frame that was encoded last is what later ones are compared with.

    The largest difference decides, so that a small thing that appears is not lost in the mean of a large scene; a pixel
    of a copy is the mean of its part of the frame, in which noise cancels out.

    Parameters
    ----------
    difference : largest absolute difference of the copies, in levels of 0 to 255, up to which a scene is unchanged
    max_age : seconds after which a frame is encoded again, however little has changed
    cameras : those whose frames follow each other; None for all

    Raises ValueError for a negative difference or an age that is not positive.
    """

    def __init__(self, *, difference: float = 2.0, max_age: float = 1.0, cameras: Collection[str] | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        if not difference >= 0:
            raise ValueError(f"the difference is {difference}; it must be 0 or more, in levels of 0 to 255")
        if not max_age > 0:
            raise ValueError(f"the age is {max_age} s; it must be more than 0")
        self._difference = difference
        self._max_age = max_age
        self._cameras = cameras
        self._clock = clock
        self._encoded: dict[str, tuple[np.ndarray, tuple[int, ...], float]] = {}

    def holds(self, camera: str, image: np.ndarray) -> bool:
        """Whether the frame (H, W, 3) uint8 shows what the camera's last encoded one showed; False for the first."""
        known = self._encoded.get(camera)
        if known is None:
            return False
        small, shape, encoded_at = known
        if shape != image.shape or self._clock() - encoded_at > self._max_age:
            return False
        return float(cv2.absdiff(small, small_copy(image)).max()) <= self._difference

    def encoded(self, camera: str, image: np.ndarray) -> None:
        """Take note of a frame that was encoded."""
        if self._cameras is None or camera in self._cameras:
            self._encoded[camera] = small_copy(image), image.shape, self._clock()


def small_copy(image: np.ndarray) -> np.ndarray:
    """(24, 32, 3) uint8: each pixel is the mean of its part of the frame."""
    return cv2.resize(image, SMALL, interpolation=cv2.INTER_AREA)
