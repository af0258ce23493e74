# SPDX-License-Identifier: Apache-2.0
"""The exported network as a backend, on OpenVINO or ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clipseg_ros.clipseg.backend import Backend, in_turns, joined
from clipseg_ros.clipseg.model import ImageFeatures
from clipseg_ros.clipseg.onnx.runtimes import open_session
from clipseg_ros.clipseg.onnx.writing import DECODER, ENCODER
from clipseg_ros.clipseg.preprocessing import squash


class ExportedBackend(Backend):
    """The two graphs of `writing` in a folder, on the CPU with as many threads as PyTorch has.

    Its `ImageFeatures` hold the reduced activations, deepest first. Several pictures, whose shapes are static, are
    encoded one after the other.

    Parameters
    ----------
    side : of the input in pixels.
    grid : (rows, cols) of its patches.
    at_once : of more prompts so many are decoded at a time.
    backend, precision : as `runtimes.open_session`.
    """

    def __init__(self, folder: Path, *, side: int, grid: tuple[int, int], at_once: int, backend: str,
                 precision: str) -> None:
        threads = torch.get_num_threads()
        self._size = (side, side)
        self._grid = grid
        self._at_once = at_once
        self._encoder = open_session(backend, folder / ENCODER, precision=precision, threads=threads)
        self._decoder = open_session(backend, folder / DECODER, precision=precision, threads=threads)

    def encode(self, images: Sequence[np.ndarray]) -> ImageFeatures:
        """As `Backend`."""
        return ImageFeatures.join([self._encode_one(image) for image in images])

    def decode(self, features: ImageFeatures, embeddings: Tensor) -> Tensor:
        """As `Backend`; embeddings and logits are on the CPU."""
        return joined([in_turns(lambda some, image=image: self._paint(image, some), embeddings, self._at_once)
                       for image in features.split()])

    def unpacked(self, reduced: Tensor, grid: tuple[int, int]) -> ImageFeatures:
        """As `Backend`."""
        return ImageFeatures(reduced.float().unbind(dim=1), grid)

    def _paint(self, image: ImageFeatures, embeddings: Tensor) -> Tensor:
        prompts = embeddings.float().contiguous().numpy()
        reduced = [activation.contiguous().numpy() for activation in image.activations]
        return torch.from_numpy(self._decoder([prompts, *reduced])[0])

    def _encode_one(self, image: np.ndarray) -> ImageFeatures:
        reduced = self._encoder([to_encoder_input(image, self._size)])
        return ImageFeatures(tuple(map(torch.from_numpy, reduced)), self._grid)


def to_encoder_input(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, 3) uint8 RGB as the encoder's `pixels`, (1, *size, 3) uint8."""
    return np.ascontiguousarray(squash(image, size).permute(1, 2, 0).numpy()[np.newaxis])
