# SPDX-License-Identifier: Apache-2.0
"""From the prompts of a batch to conditional vectors: each distinct text and support picture is encoded once."""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from clipseg_ros.clipseg.model import CLIPSeg
from clipseg_ros.clipseg.preprocessing import normalise
from clipseg_ros.clipseg.tokenizer import Tokenizer
from clipseg_ros.lab.training.batch import Batch

_MOST_TEXTS = 20_000


class Conditioning(NamedTuple):
    """prompts : (B, P, D); classes : (C, D), of the class texts; supports : (V, D); pictures : (B, D) or None."""

    prompts: Tensor
    classes: Tensor
    supports: Tensor
    pictures: Tensor | None = None


class PromptEncoder:
    """Encodes the prompts of batches with a network's text and image towers.

    With `frozen` towers the embeddings of the last 20,000 texts or so are kept.
    """

    def __init__(self, model: CLIPSeg, tokenizer: Tokenizer, *, frozen: bool) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._frozen = frozen
        self._tokens: dict[str, Tensor] = {}
        self._embeddings: dict[str, Tensor] = {}

    def __call__(self, batch: Batch) -> Conditioning:
        """Return the conditional vectors w * text + (1 - w) * support picture, and their ingredients."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._frozen):
            texts = [*batch.texts, *(batch.class_texts or [])]
            encoded = self.encode_texts(texts, batch.pixels.device)
            supports = self._encode_supports(batch.supports)
        if not len(encoded):
            encoded = encoded.new_zeros((0, self._model.config.clip["embed_dim"]))
        size = len(batch.texts)
        return Conditioning(mix(encoded[:size], supports, batch), encoded[size:], supports)

    def encode_texts(self, texts: list[str], device: torch.device) -> Tensor:
        """Embed T texts as (T, D)."""
        wanted = [text for text in texts if text not in self._embeddings]
        if wanted:
            fresh = self._model.encode_text(self._tokenise(wanted).to(device))
            if not self._frozen:
                return fresh
            if len(self._embeddings) > _MOST_TEXTS:
                self._embeddings = {text: self._embeddings[text] for text in texts if text in self._embeddings}
            self._embeddings.update(zip(wanted, fresh.float()))
        if not texts:
            return torch.zeros((0, self._model.config.clip["embed_dim"]), device=device)
        return torch.stack([self._embeddings[text] for text in texts])

    def _tokenise(self, texts: list[str]) -> Tensor:
        if len(self._tokens) > _MOST_TEXTS:
            self._tokens.clear()
        for text in texts:
            if text not in self._tokens:
                self._tokens[text] = self._tokenizer([text])[0]
        return torch.stack([self._tokens[text] for text in texts])

    def _encode_supports(self, supports: Tensor) -> Tensor:
        config = self._model.config
        if not len(supports):
            return torch.zeros((0, config.clip["embed_dim"]), device=supports.device)
        return self._model.encode_visual_prompt(normalise(supports, config.image_mean, config.image_std))


def mix(texts: Tensor, supports: Tensor, batch: Batch) -> Tensor:
    """Return w * text + (1 - w) * support picture of every prompt, (B, P, D); a part that is missing counts as 0."""
    return (_pick(texts, batch.text_index, batch.text_weight)
            + _pick(supports, batch.support_index, 1.0 - batch.text_weight))


def _pick(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Rows of `table` (N, D) by `index` (B, P), times `weight` (B, P); index -1 gives zeros."""
    if not len(table):
        return table.new_zeros((*index.shape, table.shape[-1]))
    weight = torch.where(index >= 0, weight, torch.zeros_like(weight)).to(table.dtype)
    return table[index.clamp(min=0)] * weight.unsqueeze(-1)
