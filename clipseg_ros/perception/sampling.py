# SPDX-License-Identifier: Apache-2.0
"""A smaller picture that takes the same pixels of every image of one size, so that several go on fitting together."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sampling:
    """The pixels nearest to the centres of those of an image that is `scale` times as large.

    Parameters
    ----------
    size : (height, width) of the images
    scale : more than 0, at most 1
    """

    size: tuple[int, int]
    scale: float = 1.0

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(h, w, ...) of an image (H, W, ...); itself at the scale 1. Readings and labels are never mixed."""
        if self.scale == 1:
            return image
        rows, columns = (_nearest(length, self.scale) for length in self.size)
        return image[rows[:, None], columns]


def _nearest(length: int, scale: float) -> np.ndarray:
    """Indices into `length` pixels, at least one."""
    count = max(round(length * scale), 1)
    return ((np.arange(count) + 0.5) * (length / count)).astype(np.intp)
