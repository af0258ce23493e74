# SPDX-License-Identifier: Apache-2.0
"""What is given to the networks: images that none has seen before, and prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from clipseg_ros import recorded

PHRASES = (
    "red mug", "something to sit on", "a plate", "the lamp", "book", "potted plant", "the leftmost bottle", "shoes",
)

_PATCH = 40
_RECORDED_USED = 2


def phrases(count: int) -> list[str]:
    """`count` different prompts, each a few words."""
    return [PHRASES[number] if number < len(PHRASES) else f"thing {number}" for number in range(count)]


def new_phrases() -> Iterator[str]:
    """Endless prompts that are in no list of `phrases`, none twice."""
    number = 0
    while True:
        yield f"{PHRASES[number % len(PHRASES)]} number {number}"
        number += 1


def new_images(size: tuple[int, int], seed: int = 0) -> Iterator[np.ndarray]:
    """Endless images (H, W, 3) uint8 RGB, none twice: patches of colour with noise. `size` is (W, H)."""
    width, height = size
    rng = np.random.default_rng(seed)
    while True:
        coarse = rng.integers(0, 224, (-(-height // _PATCH), -(-width // _PATCH), 3), dtype=np.uint8)
        patches = coarse.repeat(_PATCH, axis=0).repeat(_PATCH, axis=1)[:height, :width]
        yield patches + rng.integers(0, 32, (height, width, 3), dtype=np.uint8)


def pictures(size: tuple[int, int]) -> Sequence[np.ndarray]:
    """Recorded scenes of the package, (H, W, 3) uint8 RGB; made-up images without them. `size` is (W, H)."""
    scenes = recorded.pictures()[:_RECORDED_USED]
    if not scenes:
        return [image for image, _ in zip(new_images(size, seed=99), range(_RECORDED_USED))]
    return [cv2.resize(scene, size, interpolation=cv2.INTER_AREA) for scene in scenes]
