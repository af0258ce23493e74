# SPDX-License-Identifier: Apache-2.0
"""What the network says of one picture: a map per prompt, and from where on a pixel belongs to the prompt."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clipseg_ros.perception.masks import check_probabilities, label_image, threshold_mask, union_mask


@dataclass(frozen=True, eq=False)
class Maps:
    """Probabilities of n prompts at each pixel, on a scale of their own.

    Attributes
    ----------
    values : (n, H, W) float32, or uint8 where bytes say enough (a GPU sends a quarter of the data then)
    thresholds : n numbers on the scale of `values`; a pixel belongs to a prompt from there on
    full_scale : what stands for a probability of 1 in `values`: 1 for float32, 255 for uint8

    Raises
    ------
    ValueError
        If the shapes do not fit or there are more prompts than labels.
    """

    values: np.ndarray
    thresholds: tuple[float, ...]
    full_scale: float = 1.0

    def __post_init__(self) -> None:
        check_probabilities(self.values, self.thresholds)

    @classmethod
    def empty(cls, size: tuple[int, int]) -> Maps:
        """Of no prompt, for a picture of `size` (height, width)."""
        return cls(np.zeros((0, *size), np.float32), ())

    def __len__(self) -> int:
        return len(self.values)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.values.shape[1:]

    @cached_property
    def labels(self) -> np.ndarray:
        """(H, W) uint8: index of the prompt that wins the pixel, `masks.NO_PROMPT` where none reaches its threshold."""
        return label_image(self.values, self.thresholds)

    @cached_property
    def mask(self) -> np.ndarray:
        """(H, W) uint8: 255 where any prompt reaches its threshold, 0 elsewhere."""
        return union_mask(self.labels)

    @cached_property
    def masks(self) -> Sequence[np.ndarray]:
        """A (H, W) uint8 mask for each prompt, by its own threshold whatever the other prompts find."""
        return [threshold_mask(one, threshold) for one, threshold in zip(self.values, self.thresholds)]

    @cached_property
    def scores(self) -> list[float]:
        """Highest probability of each prompt, 0 to 1."""
        return [float(one.max()) / self.full_scale for one in self.values]

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(n, H, W) float32 in [0, 1]."""
        if self.values.dtype == np.float32 and self.full_scale == 1.0:
            return self.values
        return self.values / np.float32(self.full_scale)
