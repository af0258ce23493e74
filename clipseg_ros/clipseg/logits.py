# SPDX-License-Identifier: Apache-2.0
"""Logits as maps of the pictures' own sizes: probabilities, or the levels of a byte; computed where the logits are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from clipseg_ros.clipseg.cuda.transfers import download

LEVELS = 255

_TIE = 1e-4
"""Of a level: halves are rounded to the even one, but a probability that equals its threshold must be rounded up."""


def to_probabilities(logits: Tensor, sizes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """Maps (P, H, W) float32 in [0, 1] of logits (B, P, h, w), one for each of the B `sizes` (H, W)."""
    return [_fetch(_resize(maps, size)) for maps, size in zip(torch.sigmoid(logits), sizes, strict=True)]


def to_levels(
    logits: Tensor, sizes: Sequence[tuple[int, int]], thresholds: Sequence[float]
) -> list[np.ndarray]:
    """Maps (P, H, W) uint8: probabilities in steps of 1 / 255, from `first_level` on where they reach their threshold.

    For that, a prompt's levels are shifted by up to half a step; only pixels within a millionth of the threshold may
    fall on the other side. A quarter of the bytes of `to_probabilities`.

    thresholds : P numbers in (0, 1), one for each prompt.
    """
    shifts = [first_level(one) - 0.5 - LEVELS * one + _TIE for one in thresholds]
    shift = torch.tensor(shifts, dtype=torch.float32).to(logits.device).view(-1, 1, 1)
    scaled = torch.sigmoid(logits).mul_(LEVELS).add_(shift)
    return [_fetch(_to_bytes(_resize(maps, size))) for maps, size in zip(scaled, sizes, strict=True)]


def first_level(threshold: float) -> int:
    """The level, 1 to 255, from which on a pixel reaches a threshold in (0, 1)."""
    return math.floor(LEVELS * threshold) + 1


def _fetch(maps: Tensor) -> np.ndarray:
    return download(maps) if maps.device.type == "cuda" else maps.numpy()


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (P, h, w) float32 to (P, H, W) bilinearly. On a CPU, OpenCV takes half of PyTorch's time."""
    if maps.device.type == "cuda":
        return interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]
    height, width = size
    resized = np.empty((len(maps), height, width), np.float32)
    for source, target in zip(maps.numpy(), resized):
        cv2.resize(source, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(resized)


def _to_bytes(maps: Tensor) -> Tensor:
    """Round (P, H, W) float32 to uint8. On a CPU, OpenCV takes a tenth of PyTorch's time."""
    if maps.device.type == "cuda":
        return maps.round_().clamp_(0, LEVELS).to(torch.uint8)
    levels = np.empty(maps.shape, np.uint8)
    for source, target in zip(maps.numpy(), levels):
        cv2.convertScaleAbs(source, dst=target)
    return torch.from_numpy(levels)
