# SPDX-License-Identifier: Apache-2.0
"""Thresholding: which prompt, if any, wins each pixel."""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

NO_PROMPT = 255
"""Label of a pixel where no prompt reaches its threshold."""

MAX_PROMPTS = 255
"""Labels 0 to 254 name prompts, so one frame can have this many."""


def label_image(probabilities: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Index of the most probable of the prompts that reach their own threshold.

    Parameters
    ----------
    probabilities : (n, H, W) float32 in [0, 1], or uint8 on another scale
    thresholds : n numbers on the same scale

    Returns
    -------
    (H, W) uint8
        The index of the winning prompt, the earlier one of two equal ones, or `NO_PROMPT`.

    Raises
    ------
    ValueError
        If the shapes do not fit or there are more prompts than labels.
    """
    check_probabilities(probabilities, thresholds)
    if not len(probabilities):
        return np.full(probabilities.shape[1:], NO_PROMPT, np.uint8)
    above = threshold_mask(probabilities[0], thresholds[0])
    labels = cv2.bitwise_not(above)  # 0 where the first prompt reaches its threshold, else NO_PROMPT
    if len(probabilities) == 1:
        return labels
    best = cv2.copyTo(probabilities[0], above)
    for index in range(1, len(probabilities)):
        above = threshold_mask(probabilities[index], thresholds[index])
        wins = cv2.bitwise_and(above, to_mask(probabilities[index] > best))
        cv2.copyTo(np.full_like(labels, index), wins, labels)
        cv2.copyTo(probabilities[index], wins, best)
    return labels


def threshold_mask(probability: np.ndarray, threshold: float) -> np.ndarray:
    """uint8 of the same shape: 255 where the image reaches the threshold, compared in the image's own type."""
    return to_mask(np.ascontiguousarray(probability >= probability.dtype.type(threshold)))


def union_mask(labels: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of 0 and 255: the pixels of a `label_image` that any prompt won."""
    return to_mask(labels != NO_PROMPT)


def to_mask(pixels: np.ndarray) -> np.ndarray:
    """uint8 of the same shape: 255 where the bool array is True, 0 elsewhere."""
    return np.negative(pixels.view(np.uint8))


def check_probabilities(probabilities: np.ndarray, thresholds: Sequence[float]) -> None:
    """Raise ValueError unless `probabilities` is (n, H, W) with H, W > 0 and one threshold each."""
    if probabilities.ndim != 3 or 0 in probabilities.shape[1:]:
        raise ValueError(f"probabilities have the shape {probabilities.shape}; they must be (prompts, height, width)")
    if len(probabilities) != len(thresholds):
        raise ValueError(f"there are {len(probabilities)} prompts but {len(thresholds)} thresholds; "
                         "each prompt needs one")
    if len(probabilities) > MAX_PROMPTS:
        raise ValueError(f"there are {len(probabilities)} prompts; a label image can name {MAX_PROMPTS}")
