# SPDX-License-Identifier: Apache-2.0
"""Pairs of picture and phrase, which is what the paper trains on, whatever the files they come from."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Hashable, NamedTuple, Protocol

import numpy as np

from clipseg_ros.lab.datasets.folder import Sample, read_folder


class Example(NamedTuple):
    """image : (H, W, 3) uint8 RGB; mask : (H, W) bool, all False if the phrase names nothing in it."""

    image: np.ndarray
    mask: np.ndarray


class Pairs(Protocol):
    """A numbered collection of examples with a phrase each."""

    def __len__(self) -> int: ...

    def phrase(self, number: int) -> str:
        """The phrase of an example; empty if it has a support picture alone."""

    def kind(self, number: int) -> str:
        """Its kind, one of batch.KINDS."""

    def picture(self, number: int) -> Hashable:
        """Which picture it is about: equal for the phrases of one picture."""

    def load(self, number: int) -> Example:
        """Its picture and mask."""

    def support(self, number: int, rng: np.random.Generator) -> Example | None:
        """A picture of the same thing with its mask, None if there is none."""


class FolderPairs:
    """The prompts of a folder in the format of datasets.folder.

    A prompt's support picture is its own if it has one, otherwise the picture of another prompt with the same phrase.
    """

    def __init__(self, directory: str | Path) -> None:
        self._samples: list[Sample] = read_folder(directory)
        self._alike: dict[str, list[int]] = defaultdict(list)
        for number, sample in enumerate(self._samples):
            if sample.phrase and sample.mask_path is not None:
                self._alike[sample.phrase].append(number)

    def __len__(self) -> int:
        return len(self._samples)

    def phrase(self, number: int) -> str:
        """The phrase of a sample."""
        return self._samples[number].phrase

    def kind(self, number: int) -> str:
        """Its type."""
        return self._samples[number].type

    def picture(self, number: int) -> Path:
        """The file of its picture."""
        return self._samples[number].image_path

    def load(self, number: int) -> Example:
        """Its picture and mask."""
        image = self._samples[number].load_image()
        return Example(image, self._samples[number].load_mask(image.shape[:2]))

    def support(self, number: int, rng: np.random.Generator) -> Example | None:
        """Its own support picture, or that of another sample with its phrase."""
        own = self._samples[number].load_visual()
        if own is not None:
            image, mask = own
            return Example(image, np.ones(image.shape[:2], bool) if mask is None else mask)
        other = other_than(number, self._alike.get(self._samples[number].phrase, []), rng)
        return None if other is None else self.load(other)


def other_than(number: int, numbers: list[int], rng: np.random.Generator) -> int | None:
    """A random one of `numbers` that is not `number`, None if there is none."""
    others = [candidate for candidate in numbers if candidate != number]
    return others[int(rng.integers(len(others)))] if others else None
