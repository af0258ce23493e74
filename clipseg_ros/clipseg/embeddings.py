# SPDX-License-Identifier: Apache-2.0
"""Prompts as the network takes them: one vector each, embedded once."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

import torch
from torch import Tensor

from clipseg_ros.clipseg.backend import input_pixels
from clipseg_ros.clipseg.model import CLIPSeg
from clipseg_ros.clipseg.negatives import with_negatives
from clipseg_ros.clipseg.prompts import Prompt, engineer_visual_prompt
from clipseg_ros.clipseg.tokenizer import Tokenizer

PROMPTS_KEPT = 512

K, V = TypeVar("K"), TypeVar("V")


class Embeddings:
    """Embeds prompts in PyTorch, whatever runs the rest of the network; the last 512 are kept.

    Parameters
    ----------
    model : on its device, in its precision, for evaluation
    """

    def __init__(self, model: CLIPSeg, tokenizer: Tokenizer) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._kept: OrderedDict[tuple, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def check(self, prompts: list[Prompt]) -> None:
        """Raise ValueError, with a sentence for people, unless every prompt can be embedded."""
        for prompt in with_negatives(prompts):
            if prompt.phrases and prompt.key not in self._kept:
                self._tokenizer(prompt.phrases)

    def unknown_words(self, prompt: Prompt) -> tuple[str, ...]:
        """Words of its and its negatives' texts that the network has never seen: none for the published weights."""
        texts = [one.text for one in (prompt, *prompt.unlike) if one.text is not None]
        return tuple(dict.fromkeys(word for text in texts for word in self._tokenizer.unknown_words(text)))

    def of(self, prompts: list[Prompt]) -> Tensor:
        """Embeddings (n, D) of the prompts, each computed once."""
        new = list({prompt.key: prompt for prompt in prompts if prompt.key not in self._kept}.values())
        found = {prompt.key: self._kept[prompt.key] for prompt in prompts if prompt.key in self._kept}
        if new:
            found.update((prompt.key, row) for prompt, row in zip(new, self._embed(new)))
        for key, row in found.items():
            remember(self._kept, key, row, PROMPTS_KEPT)
        if not prompts:
            return torch.empty((0, self._model.config.clip["embed_dim"]))
        return torch.stack([found[prompt.key] for prompt in prompts])

    def of_texts(self, prompts: list[Prompt]) -> Tensor | list:
        """(n, D), each row the mean over the prompt's phrases; nothing is kept."""
        if not prompts:
            return []
        phrases = [prompt.phrases for prompt in prompts]
        device = self._model.clip.text_projection.device
        tokens = self._tokenizer([phrase for group in phrases for phrase in group]).to(device)
        rows = self._model.encode_text(tokens).split([len(group) for group in phrases])
        return torch.stack([group.mean(dim=0) for group in rows])

    def _embed(self, prompts: list[Prompt]) -> list[Tensor]:
        with_text = [prompt for prompt in prompts if prompt.text is not None]
        with_image = [prompt for prompt in prompts if prompt.image is not None]
        texts = dict(zip((p.key for p in with_text), self.of_texts(with_text)))
        images = dict(zip((p.key for p in with_image), self._of_images(with_image)))
        return [_blend(texts.get(p.key), images.get(p.key), p.text_weight) for p in prompts]

    def _of_images(self, prompts: list[Prompt]) -> Tensor | list:
        if not prompts:
            return []
        config = self._model.config
        pictures = [engineer_visual_prompt(prompt.image, prompt.mask, mean=config.image_mean) for prompt in prompts]
        size = (config.visual_prompt_size or config.image_size,) * 2
        return self._model.encode_visual_prompt(input_pixels(self._model, pictures, size))


def _blend(text: Tensor | None, image: Tensor | None, text_weight: float) -> Tensor:
    """Embedding of a prompt with a text, an image or both (paper, section 3: image-text interpolation)."""
    if text is None or image is None:
        return image if text is None else text
    return text_weight * text + (1 - text_weight) * image


def remember(cache: OrderedDict[K, V], key: K, value: V, kept: int) -> None:
    """Put an entry in as the newest, and let the oldest go beyond `kept`."""
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > kept:
        cache.popitem(last=False)
