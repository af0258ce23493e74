# SPDX-License-Identifier: Apache-2.0
"""How far the logits and the masks of two ways to run a network are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clipseg_ros.clipseg.backend import Backend
from clipseg_ros.clipseg.model import CLIPSeg
from clipseg_ros.clipseg.tokenizer import Tokenizer
from clipseg_ros.recorded import pictures

_RECORDED_COMPARED = 3
_PROMPTS = ("a mug", "the red chair", "a wooden table", "something to sit on")


@dataclass(frozen=True)
class Agreement:
    """Figures over all pixels, pictures and prompts.

    Attributes
    ----------
    max_difference : largest absolute difference of two logits; NaN or infinity where one is not finite.
    spread : standard deviation of the reference's logits.
    mask_disagreement : share of the pixels, 0 to 1, that only one of the two puts at the threshold or above.
    """

    max_difference: float
    spread: float
    mask_disagreement: float

    def __str__(self) -> str:
        return (f"logits differ by at most {self.max_difference:.2g} (their spread is {self.spread:.2g}), masks in "
                f"{100 * self.mask_disagreement:.4f} % of the pixels")


@torch.inference_mode()
def measure(backend: Backend, reference: Backend, model: CLIPSeg) -> Agreement:
    """Compare two backends of `model`'s network on recorded scenes and on noise, with a few texts as prompts."""
    embeddings = _embed(model)
    found, expected = [], []
    for image in compared_pictures():
        found.append(backend.decode(backend.encode([image]), embeddings).cpu())
        expected.append(reference.decode(reference.encode([image]), embeddings).cpu())
    return compare(torch.cat(found), torch.cat(expected))


def compare(found: Tensor, expected: Tensor, *, threshold: float = 0.5) -> Agreement:
    """Compare logits of one shape, float32 on the CPU; `threshold` is the probability from which a pixel is meant."""
    boundary = math.log(threshold / (1 - threshold))
    return Agreement(
        max_difference=float((found - expected).abs().max()),
        spread=float(expected.std()),
        mask_disagreement=float(((found >= boundary) != (expected >= boundary)).double().mean()),
    )


def calibration_pictures() -> list[np.ndarray]:
    """(H, W, 3) uint8 RGB each, to find the range of activations with: other ones than `measure` compares on."""
    return [*pictures()[_RECORDED_COMPARED:], _noise(seed=1)]


def compared_pictures() -> list[np.ndarray]:
    """(H, W, 3) uint8 RGB each; noise alone where the recorded scenes are not installed."""
    return [*pictures()[:_RECORDED_COMPARED], _noise(seed=0)]


def _noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (480, 640, 3), dtype=np.uint8)


def _embed(model: CLIPSeg) -> Tensor:
    return model.encode_text(Tokenizer(model.context_length, model.config.token_ids)(_PROMPTS))
