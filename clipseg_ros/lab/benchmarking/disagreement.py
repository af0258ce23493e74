# SPDX-License-Identifier: Apache-2.0
"""Whether what is fast is also right: masks against those of a reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Segment = Callable[[np.ndarray, Sequence[str]], np.ndarray]
"""(H, W, 3) uint8 RGB and n texts -> (n, H, W) float32 probabilities."""

THRESHOLD = 0.5


class _Truth(NamedTuple):
    image: np.ndarray
    thresholds: np.ndarray  # (n, 1, 1)
    masks: np.ndarray  # (n, H, W) bool


class Reference:
    """The masks that a reference makes of some pictures.

    Parameters
    ----------
    name : of the reference, for people.
    segment : the reference.
    pictures, prompts : (H, W, 3) uint8 RGB each, and texts.
    random : whether the weights are. Their probabilities crowd around one value, so each prompt's median probability in
        a picture is the threshold: half of the pixels lie on either side, where a difference shows the most. Otherwise
        it is `THRESHOLD`.
    """

    def __init__(
        self, name: str, segment: Segment, pictures: Sequence[np.ndarray], prompts: Sequence[str], *, random: bool
    ) -> None:
        self.name = name
        self._prompts = list(prompts)
        self._truths = [_look(segment(picture, self._prompts), picture, random) for picture in pictures]

    def disagreement(self, segment: Segment) -> float:
        """The share of the pixels, 0 to 1, that only one of `segment` and the reference puts into a mask."""
        shares = [np.mean((segment(truth.image, self._prompts) >= truth.thresholds) != truth.masks)
                  for truth in self._truths]
        return float(np.mean(shares))


def _look(probabilities: np.ndarray, image: np.ndarray, random: bool) -> _Truth:
    thresholds = np.full((len(probabilities), 1, 1), THRESHOLD, np.float32)
    if random:
        thresholds = np.median(probabilities, axis=(1, 2), keepdims=True)
    return _Truth(image, thresholds, probabilities >= thresholds)
