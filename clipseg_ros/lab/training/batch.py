# SPDX-License-Identifier: Apache-2.0
"""What a data source hands to the training loop: pictures, masks and prompts of one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Sequence

import numpy as np
import torch
from torch import Tensor

KINDS = ("noun", "colour", "affordance", "place", "absent", "visual")


@dataclass
class Batch:
    """B pictures with P prompts each; every distinct text and every support picture is listed once.

    Attributes
    ----------
    pixels : (B, 3, h, w) uint8 RGB
    masks : (B, P, h, w) uint8, 1 = object
    texts : the distinct texts, T of them
    text_index : (B, P) int64, a prompt's text; -1 = none
    supports : (V, 3, s, s) uint8 RGB engineered support pictures, V may be 0
    support_index : (B, P) int64, a prompt's support picture; -1 = none
    text_weight : (B, P) float32, 1 = text alone, 0 = support picture alone
    kinds : (B, P) int64, the kind of each prompt as its place in KINDS
    ids : (B, h, w) uint8, the number of the object at each pixel, 0 = none; or None where objects are not told apart
    class_texts : a text for each class, the first for class 1; or None
    support_class : (V,) int64, the class of each support picture, from 1; or None
    patch_class, patch_colour : (B, rows, cols) int64, 0 = background, -1 = undecided; or None
    """

    pixels: Tensor
    masks: Tensor
    texts: list[str]
    text_index: Tensor
    supports: Tensor
    support_index: Tensor
    text_weight: Tensor
    kinds: Tensor
    ids: Tensor | None = None
    class_texts: list[str] | None = None
    support_class: Tensor | None = None
    patch_class: Tensor | None = None
    patch_colour: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the batch with its tensors on `device`."""
        return self._with_tensors(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory; DataLoader calls this where it is told to pin."""
        return self._with_tensors(Tensor.pin_memory)

    def _with_tensors(self, change: Callable[[Tensor], Tensor]) -> Batch:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return Batch(**{name: change(value) if isinstance(value, Tensor) else value for name, value in values.items()})


class PromptTable:
    """Collects the prompts of a batch, each distinct text once."""

    def __init__(self, images: int, prompts: int) -> None:
        self._numbers: dict[str, int] = {}
        self.text_index = np.full((images, prompts), -1, np.int64)
        self.support_index = np.full((images, prompts), -1, np.int64)
        self.text_weight = np.ones((images, prompts), np.float32)
        self.kinds = np.zeros((images, prompts), np.int64)

    @property
    def texts(self) -> list[str]:
        """The distinct texts in the order in which they came."""
        return list(self._numbers)

    def add(
        self, image: int, prompt: int, *, kind: str, text: str | None, support: int = -1, weight: float = 1.0
    ) -> None:
        """Set a prompt: a text, a support picture (its number in the batch), or both mixed by `weight`."""
        self.kinds[image, prompt] = KINDS.index(kind)
        if text is not None:
            self.text_index[image, prompt] = self._numbers.setdefault(text, len(self._numbers))
        self.support_index[image, prompt] = support
        self.text_weight[image, prompt] = weight if text is not None and support >= 0 else float(text is not None)

    def tensors(self) -> dict[str, Tensor]:
        """The fields of a Batch that describe its prompts."""
        return {
            name: torch.from_numpy(getattr(self, name))
            for name in ("text_index", "support_index", "text_weight", "kinds")
        }


def stack_pictures(pictures: Sequence[np.ndarray], side: int = 1) -> Tensor:
    """Stack (h, w, 3) uint8 pictures as (N, 3, h, w); none at all become (0, 3, side, side)."""
    if not pictures:
        return torch.zeros((0, 3, side, side), dtype=torch.uint8)
    return torch.from_numpy(np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2)))
