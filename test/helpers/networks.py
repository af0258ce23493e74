# SPDX-License-Identifier: Apache-2.0
"""What the tests of the network's users share: small networks, and pictures for them."""

from dataclasses import replace

import numpy as np
import torch

from clipseg_ros.clipseg.model import SMALL, CLIPSeg

SIDE = 64


def network(*, refined: bool = False, seed: int = 0) -> CLIPSeg:
    """A small network that reacts strongly to its prompts."""
    torch.manual_seed(seed)
    return reactive(CLIPSeg(replace(SMALL, image_size=SIDE, refined=refined)).eval())


def reactive(model: CLIPSeg) -> CLIPSeg:
    """The network itself, changed so that its prompts matter much."""
    with torch.no_grad():
        model.clip.token_embedding.weight.mul_(100)
        model.decoder.film_add.weight.mul_(30)
        for block in model.clip.transformer.resblocks:
            block.attn.out_proj.weight.mul_(30)
    return model


def picture(height: int = 48, width: int = 80, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
