# SPDX-License-Identifier: Apache-2.0
"""The mean of two trained networks, one of which was trained on from the other."""

from __future__ import annotations

from pathlib import Path

import torch

from clipseg_ros.clipseg.model import CLIPSeg
from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint, save_checkpoint


def average_files(weights: str | Path, other: str | Path, output: str | Path, *, share: float,
                  half: bool = False) -> None:
    """Write the mean of two checkpoints, with what the first one tells of itself, complete or not at all.

    Parameters
    ----------
    weights, other : checkpoints by name or path
    output : the safetensors file to write
    share : of the first one's weights, 0 to 1
    half : store float16 instead of float32

    Raises
    ------
    ValueError
        As `average_into`, and for a checkpoint that is none.
    """
    checkpoint = load_checkpoint(weights)
    average_into(checkpoint.model, load_checkpoint(other).model, share=share)
    metadata = {**checkpoint.metadata, "trained": checkpoint.trained, "threshold": checkpoint.threshold}
    save_checkpoint(checkpoint.model, output, half=half, metadata=metadata)


@torch.no_grad()
def average_into(model: CLIPSeg, other: CLIPSeg, *, share: float) -> None:
    """Make `model` the mean of its own weights and those of `other`, which keeps its own.

    Weights along the line between a network and a further training of it often segment better than either end
    (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).

    Parameters
    ----------
    share : of `model`'s own weights, 0 to 1

    Raises
    ------
    ValueError
        If the share is outside of that range, or the networks are not of one shape.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of the first network is {share:g}; it must be 0 to 1")
    mine, others = model.state_dict(), other.state_dict()
    shapes = [{name: tuple(tensor.shape) for name, tensor in weights.items()} for weights in (mine, others)]
    if shapes[0] != shapes[1]:
        raise ValueError("the two networks differ in their layers; only one that was trained on from the other, or "
                         "both from a third, can be averaged")
    for name, weights in mine.items():
        if weights.is_floating_point():
            weights.lerp_(others[name], 1 - share)
