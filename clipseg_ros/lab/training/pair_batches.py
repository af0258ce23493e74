# SPDX-License-Identifier: Apache-2.0
"""Batches from pairs of picture and phrase: templates, negatives, crops and support pictures as in the paper."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Hashable

import cv2
import numpy as np
import torch

from clipseg_ros.clipseg.preprocessing import squash
from clipseg_ros.clipseg.prompts import TEMPLATES, engineer_visual_prompt
from clipseg_ros.lab.training.augment import AugmentConfig, relight, square_window
from clipseg_ros.lab.training.batch import Batch, PromptTable
from clipseg_ros.lab.training.pairs import Example, Pairs

_TRIES = 50


@dataclass(frozen=True)
class PairBatchConfig:
    """How pairs become batches; the defaults are the paper's.

    Attributes
    ----------
    side : pixels of the pictures as the network gets them
    negatives : share of phrases exchanged for another one, which is none of the same picture's
    crop : cut squares
    keep : least share of the mask that they keep
    templates : put phrases into "a photo of a {}." and the like
    supports : mix in support pictures
    text_weight : range of the weight w of the text in w * text + (1 - w) * picture
    """

    side: int = 352
    batch_size: int = 64
    negatives: float = 0.2
    crop: bool = True
    keep: float = 0.05
    templates: bool = True
    supports: bool = True
    text_weight: list = field(default_factory=lambda: [0.0, 1.0])

    def __post_init__(self) -> None:
        weight = self.text_weight
        if len(weight) != 2 or not 0.0 <= weight[0] <= weight[1] <= 1.0:
            raise ValueError(f"pairs.text_weight is {weight!r}; it must be two numbers from 0 to 1 in ascending order.")
        for name, value in (("negatives", self.negatives), ("keep", self.keep)):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"pairs.{name} is {value!r}; it must be from 0 to 1.")


class PairBatches(torch.utils.data.Dataset):
    """Every pair once per epoch, in an order that depends on the seed; batch i depends on (seed, i) alone."""

    def __init__(
        self, pairs: Pairs, config: PairBatchConfig, *, seed: int = 0, augment: AugmentConfig = AugmentConfig()
    ) -> None:
        self._pairs = pairs
        self._config = config
        self._seed = seed
        self._augment = augment
        self._epoch: tuple[int, np.ndarray] | None = None
        self._holders: dict[str, list[int]] = defaultdict(list)
        self._named: dict[Hashable, set[str]] = defaultdict(set)
        for number in range(len(pairs)):
            self._holders[pairs.phrase(number)].append(number)
            self._named[pairs.picture(number)].add(pairs.phrase(number))
        self._phrases = sorted(set(self._holders) - {""})

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng((self._seed, index))
        config, size = self._config, self._config.batch_size
        table = PromptTable(size, 1)
        pictures, masks, supports = [], [], []
        for row in range(size):
            number = self._number(index * size + row)
            example, phrase, support = self._draw(number, rng)
            image, mask = self._prepared(example, rng)
            pictures.append(image)
            masks.append(mask)
            weight = 1.0
            if support is not None:
                supports.append(squash(engineer_visual_prompt(support.image, support.mask), (config.side, config.side)))
                weight = float(rng.uniform(*config.text_weight))
            table.add(
                row,
                0,
                kind=self._pairs.kind(number),
                text=fill_template(phrase, rng, config.templates),
                support=-1 if support is None else len(supports) - 1,
                weight=weight,
            )
        none = torch.zeros((0, 3, config.side, config.side), dtype=torch.uint8)
        return Batch(
            pixels=torch.stack(pictures),
            masks=torch.stack(masks)[:, None],
            texts=table.texts,
            supports=torch.stack(supports) if supports else none,
            **table.tensors(),
        )

    def _number(self, position: int) -> int:
        """The pair at a position of the endless sequence of shuffled epochs."""
        epoch, place = divmod(position, len(self._pairs))
        if self._epoch is None or self._epoch[0] != epoch:
            order = np.random.default_rng((self._seed, 1 + epoch, 2)).permutation(len(self._pairs))
            self._epoch = (epoch, order)
        return int(self._epoch[1][place])

    def _draw(self, number: int, rng: np.random.Generator) -> tuple[Example, str, Example | None]:
        """An example, its phrase or (a negative) another one with an empty mask, and a support picture."""
        example, phrase = self._pairs.load(number), self._pairs.phrase(number)
        other = self._elsewhere(number, rng) if rng.random() < self._config.negatives else None
        if other is not None:
            phrase, number = other, int(rng.choice(self._holders[other]))
            example = Example(example.image, np.zeros_like(example.mask))
        wanted = self._config.supports or not phrase
        support = self._pairs.support(number, rng) if wanted else None
        if support is not None and not support.mask.any():
            support = None
        if support is None and not phrase:
            raise ValueError("a pair has neither a phrase nor a support picture with an object in it.")
        return example, phrase, support

    def _elsewhere(self, number: int, rng: np.random.Generator) -> str | None:
        """A phrase that is asked about other pictures alone; None when chance finds none."""
        named = self._named[self._pairs.picture(number)]
        for _ in range(_TRIES if self._phrases else 0):
            phrase = self._phrases[int(rng.integers(len(self._phrases)))]
            if phrase not in named:
                return phrase
        return None

    def _prepared(self, example: Example, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Cut, flip, light and squash: (3, side, side) and (side, side), both uint8."""
        image, mask = example
        if self._config.crop:
            window = square_window(mask, rng, keep=self._config.keep)
            image, mask = window.cut(image), window.cut(mask)
        if self._augment.flip and rng.random() < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        image = relight(np.ascontiguousarray(image), rng, self._augment)
        size = (self._config.side, self._config.side)
        mask = cv2.resize(np.ascontiguousarray(mask, np.uint8), size, interpolation=cv2.INTER_NEAREST)
        return squash(image, size), torch.from_numpy(mask)


def fill_template(phrase: str, rng: np.random.Generator, templates: bool) -> str | None:
    """The phrase in one of CLIP's templates drawn at random; None for no phrase."""
    if not phrase:
        return None
    return TEMPLATES[int(rng.integers(len(TEMPLATES)))].replace("{}", phrase) if templates else phrase
