# SPDX-License-Identifier: Apache-2.0
"""What the tests of peers share: a small checkpoint in the Hugging Face layout, and the sizes that make one."""

from pathlib import Path
from typing import Any

import torch

SIDE = 32
TOWER = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
CONFIG = {
    "vision_config": {**TOWER, "image_size": SIDE, "patch_size": 16},
    "text_config": TOWER,
    "projection_dim": 12,
    "extract_layers": [0, 1],
    "reduce_dim": 8,
    "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 20,
}


def write(folder: Path) -> Any:
    """Write it; it reacts strongly to its prompts. Returns transformers' network."""
    import transformers

    torch.manual_seed(0)
    model = transformers.CLIPSegForImageSegmentation(transformers.CLIPSegConfig(**CONFIG)).eval()
    with torch.no_grad():
        for module in model.decoder.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        model.clip.text_model.embeddings.token_embedding.weight.mul_(100)
        model.decoder.film_add.weight.mul_(60)
    model.save_pretrained(folder)
    processor = transformers.ViTImageProcessor(size={"height": SIDE, "width": SIDE})
    processor.save_pretrained(folder)
    return model
