# SPDX-License-Identifier: Apache-2.0
"""What the tests of the network's users share: small networks, and pictures for them."""

from dataclasses import replace

import numpy as np
import torch

from clipseg_ros.clipseg.model import SMALL, CLIPSeg

SIDE = 64

TINY = {
    "clip": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 12, "width": 16, "heads": 2, "layers": 1},
    },
    "extract_layers": [0, 1],
    "reduce_dim": 16,
    "decoder_intermediate": 32,
    "image_size": 32,
}
"""A training configuration's network, as small as trains."""


ALL_PARTS = {"refined": True, "presence": True, "stem": True, "coordinates": True}


def network(*, seed: int = 0, **changes) -> CLIPSeg:
    """A small network, with `changes` to its configuration, that reacts strongly to its prompts."""
    torch.manual_seed(seed)
    return reactive(CLIPSeg(replace(SMALL, image_size=SIDE, **changes)).eval())


def reactive(model: CLIPSeg) -> CLIPSeg:
    """The network itself, changed so that its prompts matter much."""
    with torch.no_grad():
        model.clip.token_embedding.weight.mul_(100)
        model.decoder.film_add.weight.mul_(30)
        for block in model.clip.transformer.resblocks:
            block.attn.out_proj.weight.mul_(30)
        if model.stem is not None:
            for layer in (model.stem.patches, model.decoder.cells):
                torch.nn.init.normal_(layer.weight, std=0.1)
        if model.decoder.presence is not None:
            torch.nn.init.normal_(model.decoder.presence.weight, std=0.01)
            torch.nn.init.constant_(model.decoder.presence.bias, -1.9)
    return model


def picture(height: int = 48, width: int = 80, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
