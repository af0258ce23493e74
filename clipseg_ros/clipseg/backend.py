# SPDX-License-Identifier: Apache-2.0
"""What a Segmenter asks of the thing that runs the network, and PyTorch's answer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from clipseg_ros.clipseg.cpu import packed
from clipseg_ros.clipseg.model import CLIPSeg, ImageFeatures, with_positions
from clipseg_ros.clipseg.preprocessing import normalise, squash


class Backend(Protocol):
    """Runs the two halves of the network that depend on the frame; prompts are embedded in PyTorch."""

    def encode(self, images: Sequence[np.ndarray]) -> ImageFeatures:
        """Encode one or more pictures, (H, W, 3) uint8 RGB of any sizes, into reduced features for `decode`."""

    def decode(self, features: ImageFeatures, embeddings: Tensor) -> Tensor:
        """Return logits (B, P, h, w) float32 of one or more prompts (P, D) in B encoded pictures."""

    def packed(self, features: ImageFeatures) -> Tensor:
        """The reduced activations of B pictures in one: (B, reduced_count, 1 + rows * cols, reduce_dim)."""
        return torch.stack(features.activations, dim=1)

    def unpacked(self, reduced: Tensor, grid: tuple[int, int]) -> ImageFeatures:
        """Features for `decode` of what `packed` returned, in any number format and on any device."""

    def prepare(self, pictures: int) -> None:
        """Do now what the first frames of so many cameras would wait for."""

    def stage(self, image: np.ndarray) -> None:
        """Take note of a picture that will be encoded soon and does not change until then."""


class TorchBackend(Backend):
    """The network in PyTorch, on the device and in the precision of its weights.

    size : (h, w) in pixels to which pictures are squashed.
    """

    def __init__(self, model: CLIPSeg, size: tuple[int, int]) -> None:
        self._model = with_positions(model, model.grid(size))
        self._size = size

    def encode(self, images: Sequence[np.ndarray]) -> ImageFeatures:
        """As `Backend`."""
        return self._model.reduce(self._model.encode_image(input_pixels(self._model, images, self._size)))

    def decode(self, features: ImageFeatures, embeddings: Tensor) -> Tensor:
        """As `Backend`; the logits are on the network's device."""
        return self._model.paint(features, embeddings).float()

    def unpacked(self, reduced: Tensor, grid: tuple[int, int]) -> ImageFeatures:
        """As `Backend`."""
        return ImageFeatures(reduced.to(self._model.decoder.film_mul.weight).unbind(dim=1), grid)


def in_turns(decode: Callable[[Tensor], Tensor], embeddings: Tensor, at_once: int) -> Tensor:
    """Logits (B, P, h, w) of prompts (P, D), of which `decode` gets `at_once` at a time."""
    return joined([decode(some) for some in embeddings.split(at_once)], dim=1)


def joined(parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The parts, at least one, behind each other; a single one as it is, without a copy."""
    return parts[0] if len(parts) == 1 else torch.cat(tuple(parts), dim=dim)


def input_pixels(model: CLIPSeg, images: Sequence[np.ndarray], size: tuple[int, int]) -> Tensor:
    """Pictures as the network's input: (B, 3, *size) normalised, on the device and in the precision of its weights."""
    weight = model.clip.visual.conv1.weight
    pixels = torch.stack([squash(image, size) for image in images]).to(weight.device)
    return normalise(pixels, model.config.image_mean, model.config.image_std).to(weight.dtype)


def pick_side(model: CLIPSeg, side: int) -> int:
    """The side of the input in pixels, the weights' own for 0; ValueError for a side that the patches do not fill."""
    own, patch = model.config.image_size, model.patch_size
    if not isinstance(side, int) or side < 0 or side % patch:
        raise ValueError(f"input_size is {side!r}; it must be a multiple of {patch}, the side of a patch, or 0 for the "
                         f"weights' own {own}")
    return side or own


def place(model: CLIPSeg, device: torch.device, precision: torch.dtype) -> CLIPSeg:
    """The network for inference on `device`; float32 on a CPU also stands in for float16."""
    if device.type == "cuda":
        model = model if precision == torch.float32 else copy.deepcopy(model)
        return model.to(device=device, dtype=precision).eval()
    if precision == torch.float16:
        model, precision = copy.deepcopy(model).half(), torch.float32
    model = model.to(device=device, dtype=torch.float32).eval()
    if packed.is_available(precision):
        return packed.pack(model, precision)
    return model if precision == torch.float32 else copy.deepcopy(model).to(precision)
