# SPDX-License-Identifier: Apache-2.0
"""What the network found in one frame, and the pictures made of it, each made at most once."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clipseg_ros.clipseg.maps import LEVELS, first_level
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
    maps : (n, H, W) float32 probabilities in [0, 1], or uint8 as `Segmenter.levels` returns them
    """

    rgb: np.ndarray
    active: ActivePrompts
    maps: np.ndarray

    @property
    def full_scale(self) -> float:
        """What stands for a probability of 1 in `maps`."""
        return LEVELS if self.maps.dtype == np.uint8 else 1.0

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The prompts' thresholds on the scale of `maps`."""
        thresholds = self.active.thresholds
        return tuple(map(first_level, thresholds)) if self.maps.dtype == np.uint8 else tuple(thresholds)

    @cached_property
    def labels(self) -> np.ndarray:
        """(H, W) uint8: index of the winning prompt, 255 where none reaches its threshold."""
        return label_image(self.maps, self.thresholds)

    @cached_property
    def mask(self) -> np.ndarray:
        """(H, W) uint8: 255 where any prompt reaches its threshold, 0 elsewhere."""
        return union_mask(self.labels)

    @cached_property
    def stacked(self) -> np.ndarray:
        """(n * H, W) float32: the prompts' probability images under each other, the first on top."""
        prompts, height, width = self.maps.shape
        stacked = self.maps.reshape(prompts * height, width)
        return stacked if self.maps.dtype == np.float32 else stacked / np.float32(LEVELS)

    @cached_property
    def overlay(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB: the image with the masks and a legend drawn on it."""
        return draw_overlay(self.rgb, self.maps, self.thresholds, self.active.texts,
                            labels=self.labels, scores=self.scores)

    @cached_property
    def scores(self) -> list[float]:
        """Highest probability of each prompt."""
        return [float(one.max()) / self.full_scale for one in self.maps]
