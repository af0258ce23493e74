# SPDX-License-Identifier: Apache-2.0
"""What the network found in one frame, and the pictures made of it, each made at most once."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clipseg_ros.perception.masks import label_image, union_mask
from clipseg_ros.perception.overlay import draw_overlay
from clipseg_ros.ros.prompt_store import ActivePrompts


@dataclass(frozen=True)
class FrameResult:
    """Probabilities of the active prompts in one image.

    Attributes
    ----------
    rgb : (H, W, 3) uint8
    active : the n prompts
    probabilities : (n, H, W) float32 in [0, 1]
    """

    rgb: np.ndarray
    active: ActivePrompts
    probabilities: np.ndarray

    @cached_property
    def labels(self) -> np.ndarray:
        """(H, W) uint8: index of the winning prompt, 255 where none reaches its threshold."""
        return label_image(self.probabilities, self.active.thresholds)

    @cached_property
    def mask(self) -> np.ndarray:
        """(H, W) uint8: 255 where any prompt reaches its threshold, 0 elsewhere."""
        return union_mask(self.labels)

    @cached_property
    def stacked(self) -> np.ndarray:
        """(n * H, W) float32: the prompts' probability images under each other, the first on top."""
        prompts, height, width = self.probabilities.shape
        return self.probabilities.reshape(prompts * height, width)

    @cached_property
    def overlay(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB: the image with the masks and a legend drawn on it."""
        return draw_overlay(self.rgb, self.probabilities, self.active.thresholds, self.active.texts,
                            labels=self.labels)

    @cached_property
    def scores(self) -> list[float]:
        """Highest probability of each prompt."""
        return [float(probability.max()) for probability in self.probabilities]
