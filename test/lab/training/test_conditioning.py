# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import torch

from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.clipseg.tokenizer import Tokenizer
from clipseg_ros.lab.training.batch import Batch, PromptTable
from clipseg_ros.lab.training.conditioning import PromptEncoder, mix


def make_batch(table: PromptTable, supports: torch.Tensor) -> Batch:
    images, prompts = table.kinds.shape
    return Batch(
        pixels=torch.zeros(images, 3, 32, 32, dtype=torch.uint8),
        masks=torch.zeros(images, prompts, 32, 32, dtype=torch.uint8),
        texts=table.texts,
        supports=supports,
        **table.tensors(),
    )


def test_blend_of_text_and_support_picture():
    table = PromptTable(1, 3)
    table.add(0, 0, kind="noun", text="cup")
    table.add(0, 1, kind="visual", text=None, support=1)
    table.add(0, 2, kind="noun", text="hat", support=0, weight=0.25)
    texts = torch.tensor([[1.0, 2.0], [10.0, 20.0]])
    supports = torch.tensor([[100.0, 200.0], [5.0, 7.0]])
    batch = make_batch(table, torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    expected = torch.tensor([[[1.0, 2.0], [5.0, 7.0], [0.25 * 10 + 0.75 * 100, 0.25 * 20 + 0.75 * 200]]])
    assert torch.allclose(mix(texts, supports, batch), expected)


def test_equal_texts_are_encoded_once_and_frozen_towers_keep_them():
    model = CLIPSeg(SMALL).eval()
    calls = []
    encode = model.encode_text
    model.encode_text = lambda tokens: calls.append(len(tokens)) or encode(tokens)
    table = PromptTable(2, 2)
    for image, prompt, text in ((0, 0, "cup"), (0, 1, "hat"), (1, 0, "cup"), (1, 1, "hat")):
        table.add(image, prompt, kind="noun", text=text)
    batch = make_batch(table, torch.zeros(0, 3, 32, 32, dtype=torch.uint8))
    encoder = PromptEncoder(model, Tokenizer(), frozen=True)
    first, second = encoder(batch).prompts, encoder(batch).prompts
    assert calls == [2]
    assert torch.equal(first, second) and torch.equal(first[0], first[1]) and not torch.equal(first[0, 0], first[0, 1])
    assert not first.requires_grad
