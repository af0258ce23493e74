# SPDX-License-Identifier: Apache-2.0
"""transformers' CLIPSeg: a random checkpoint in its layout, the model of a checkpoint, what goes in and comes out."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from clipseg_ros.clipseg.model import CLIPSegConfig

PUBLISHED = {"vision_config": {"patch_size": 16}}
"""What the published networks change in transformers' default configuration of CLIPSeg."""

TOKENS = 77

_SEED = 0
_TEXT_GAIN = 5.0
_TOKEN_NAMES = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}


def require() -> ModuleType:
    """Return transformers, quietened; raise ImportError, with a sentence that says what to install, without it."""
    try:
        transformers = import_module("transformers")
    except ImportError as error:
        raise ImportError("transformers is not installed: pip install transformers") from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def is_installed() -> bool:
    """Whether `require` would return."""
    try:
        require()
    except ImportError:
        return False
    return True


def write_random_checkpoint(folder: Path, *, refined: bool) -> None:
    """Save a random network of the published size that reacts to its prompts.

    Its decoder starts as PyTorch initialises it: with transformers' own initialisation prompts hardly matter.
    """
    transformers = require()
    with torch.random.fork_rng(devices=[]), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(_SEED)
        config = transformers.CLIPSegConfig(**PUBLISHED, use_complex_transposed_convolution=refined)
        model = transformers.CLIPSegForImageSegmentation(config)
        for module in model.decoder.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        model.clip.text_model.embeddings.token_embedding.weight.mul_(_TEXT_GAIN)
        model.save_pretrained(folder)
    processor = transformers.ViTImageProcessor(**_image_settings(CLIPSegConfig(clip={})))
    processor.save_pretrained(folder)


def load_model(folder: Path, precision: str, device: torch.device) -> Any:
    """transformers' network of a checkpoint, ready to run; ValueError where transformers refuses the checkpoint."""
    transformers = require()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = transformers.CLIPSegForImageSegmentation.from_pretrained(folder)
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"transformers cannot load {folder}: {str(error).splitlines()[0]}") from error
    return model.to(device=device, dtype=getattr(torch, precision)).eval()


def make_processor(config: CLIPSegConfig) -> Any:
    """transformers' processor of images and texts, for images as `config` wants them and CLIP's own tokens."""
    transformers = require()
    images = transformers.ViTImageProcessor(**_image_settings(config))
    return transformers.CLIPSegProcessor(images, make_tokenizer(transformers))


def process(processor: Any, image: np.ndarray, prompts: Sequence[str]) -> Any:
    """The network's inputs as tensors, as transformers' documentation shows it: the image once for each prompt."""
    return processor(text=list(prompts), images=[image] * len(prompts), return_tensors="pt", padding="max_length",
                     max_length=TOKENS)


def to_probabilities(logits: Tensor, image: np.ndarray, prompts: Sequence[str]) -> np.ndarray:
    """Logits (n, h, w), or (h, w) of one prompt -> probabilities (n, H, W) float32 at the image's size."""
    maps = torch.sigmoid(logits.float().reshape(len(prompts), 1, *logits.shape[-2:]))
    resized = torch.nn.functional.interpolate(maps, size=image.shape[:2], mode="bilinear", align_corners=False)
    return resized[:, 0].cpu().numpy()


def _image_settings(config: CLIPSegConfig) -> dict[str, Any]:
    return {"size": {"height": config.image_size, "width": config.image_size},
            "image_mean": list(config.image_mean), "image_std": list(config.image_std)}


def make_tokenizer(transformers: ModuleType) -> Any:
    """transformers' CLIP tokenizer, of the vocabulary that open_clip brings; every version reads these two files."""
    bpe = SimpleTokenizer()
    vocabulary = {_TOKEN_NAMES.get(piece, piece): index for piece, index in bpe.encoder.items()}
    merges = sorted(bpe.bpe_ranks, key=bpe.bpe_ranks.get)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        lines = "\n".join(["#version: 0.2", *map(" ".join, merges)])
        (folder / "merges.txt").write_text(f"{lines}\n", encoding="utf-8")
        return transformers.CLIPTokenizer.from_pretrained(folder)
