# SPDX-License-Identifier: Apache-2.0
"""Whether half precision is right: masks against float32's, and numbers that are none, over many random inputs."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from clipseg_ros.clipseg.backend import TorchBackend
from clipseg_ros.clipseg.cuda.backend import GpuBackend
from clipseg_ros.clipseg.model import CLIPSeg
from clipseg_ros.lab.benchmarking.inputs import pictures

BATCH = 4

_SCENE = (640, 480)


@dataclass(frozen=True)
class HalfPrecision:
    """How a network in half precision differs from itself in float32.

    Attributes
    ----------
    images : random images, each with a random prompt of its own.
    not_finite : how many of them gave a logit that is NaN or infinite.
    disagreement : share of the pixels, 0 to 1, that only one precision puts into a mask, over `compared` of them.
    """

    images: int
    not_finite: int
    compared: int
    disagreement: float


@torch.inference_mode()
def check_half_precision(
    model: CLIPSeg, precision: torch.dtype, device: torch.device, *, images: int, compared: int, side: int,
    random: bool, on_batch: Callable[[int], None] = lambda done: None
) -> HalfPrecision:
    """Run random images and prompts through `gpu.GpuBackend` in half precision, and some of them in float32 as well.

    Images are noise of a random brightness and grain, parts of recorded scenes, and mixtures; prompts are random
    tokens of a random length.

    Parameters
    ----------
    model : float32, on the CPU; it is copied.
    compared : how many of the images float32 sees too.
    side : of the network's input in pixels.
    random : whether the weights are. Each image's median probability in float32 is then the threshold, where half of
        the pixels lie on either side; otherwise it is 0.5.
    on_batch : told how many images are done.
    """
    exact_model = copy.deepcopy(model).to(device).eval()
    exact = TorchBackend(exact_model, (side, side))
    half_model = copy.deepcopy(model).to(device=device, dtype=precision).eval()
    half = GpuBackend(half_model, (side, side), progress=logging.info)
    rng, scenes = np.random.default_rng(0), pictures(_SCENE)
    not_finite, shares = 0, []
    for start in range(0, images, BATCH):
        images_now = [_picture(rng, scenes, side) for _ in range(min(BATCH, images - start))]
        tokens = torch.from_numpy(np.stack([_tokens(rng, model) for _ in images_now])).to(device)
        found = _own(half.decode(half.encode(images_now), half_model.encode_text(tokens)))
        not_finite += int((~torch.isfinite(found)).flatten(1).any(dim=1).sum())
        if start < compared:
            expected = _own(exact.decode(exact.encode(images_now), exact_model.encode_text(tokens)))
            shares.append(_disagreement(found, expected, random))
        on_batch(start + len(images_now))
    return HalfPrecision(images, not_finite, min(compared, images), float(torch.cat(shares).mean()) if shares else 0.0)


def _own(logits: Tensor) -> Tensor:
    """Of (B, B, h, w), each image with its own prompt: (B, h, w)."""
    return logits.diagonal().permute(2, 0, 1).float().cpu()


def _disagreement(found: Tensor, expected: Tensor, random: bool) -> Tensor:
    cut = expected.flatten(1).median(dim=1).values.view(-1, 1, 1) if random else torch.zeros(1)
    return ((found >= cut) != (expected >= cut)).double().mean(dim=(1, 2))


def _picture(rng: np.random.Generator, scenes: Sequence[np.ndarray], side: int) -> np.ndarray:
    """(side, side, 3) uint8: noise, a part of a scene, or both mixed."""
    scene, noise = scenes[int(rng.integers(len(scenes)))], _noise(rng, side)
    size = int(rng.integers(min(scene.shape[:2]) // 2, min(scene.shape[:2]) + 1))
    top, left = (int(rng.integers(0, length - size + 1)) for length in scene.shape[:2])
    part = cv2.resize(scene[top:top + size, left:left + size], (side, side), interpolation=cv2.INTER_AREA)
    share = float(rng.choice([0.0, 0.5, 1.0]))
    return cv2.addWeighted(part, share, noise, 1.0 - share, 0.0)


def _noise(rng: np.random.Generator, side: int) -> np.ndarray:
    """(side, side, 3) uint8: patches of 1 to 64 pixels between two random levels."""
    grain = int(2 ** rng.integers(0, 7))
    low, high = sorted(rng.integers(0, 257, 2))
    coarse = rng.integers(low, max(high, low + 1), (-(-side // grain),) * 2 + (3,))
    return coarse.clip(0, 255).astype(np.uint8).repeat(grain, axis=0).repeat(grain, axis=1)[:side, :side].copy()


def _tokens(rng: np.random.Generator, model: CLIPSeg) -> np.ndarray:
    """(context_length,) int64: a start, random words, the end, which is the vocabulary's last number, and zeros."""
    end = model.clip.token_embedding.num_embeddings - 1
    words = int(rng.integers(1, model.context_length - 1))
    tokens = np.zeros(model.context_length, np.int64)
    tokens[0], tokens[1:1 + words], tokens[1 + words] = end - 1, rng.integers(0, end - 1, words), end
    return tokens
