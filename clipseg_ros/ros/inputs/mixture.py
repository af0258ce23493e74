# SPDX-License-Identifier: Apache-2.0
"""Images of several cameras on one topic, which look like one camera that cannot make up its mind."""
from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

from sensor_msgs.msg import CompressedImage, Image

SPAN = 5.0
"""Seconds within which a camera does not go back to what it was before; and for which it is told that one did."""
_LONGEST = 40
"""Characters of a frame's name that are told."""


class Mixture:
    """Compares frame, size and encoding of each image with those of the images before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._view = ""
        self._left: deque[tuple[str, float]] = deque(maxlen=8)
        self._mixed, self._at = "", -math.inf

    def see(self, image: Image | CompressedImage) -> None:
        """Take note of an image."""
        view = _view(image)
        if view == self._view:
            return
        now = self._clock()
        if any(other == view and now - at < SPAN for other, at in self._left):
            self._mixed, self._at = " and ".join(sorted((view, self._view))), now
        self._left.append((self._view, now))
        self._view = view

    @property
    def sentence(self) -> str:
        """What is wrong; empty while the images are of one camera."""
        if self._clock() - self._at > SPAN:
            return ""
        return (f"images of several cameras arrive in turns ({self._mixed}), so calibration, depth and track ids get "
                "mixed up; give each a topic of its own and name them in the parameter `cameras`")


def _view(image: Image | CompressedImage) -> str:
    """What is the same for all images of one camera."""
    kind = f"{image.width}x{image.height} {image.encoding}" if isinstance(image, Image) else image.format
    return f"{image.header.frame_id[:_LONGEST] or 'no frame'}: {kind[:_LONGEST]}"
