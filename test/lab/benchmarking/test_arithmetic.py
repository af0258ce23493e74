# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of a frame: counted by hand, and by PyTorch's own counter."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from clipseg_ros.clipseg.model import SMALL, VIT_B_16, CLIPSeg, CLIPSegConfig
from clipseg_ros.lab.benchmarking.arithmetic import Arithmetic, Product, block_products, count_arithmetic

TINY = CLIPSegConfig(
    clip={
        "embed_dim": 3,
        "vision_cfg": {"image_size": 8, "layers": 3, "width": 4, "head_width": 2, "patch_size": 4, "mlp_ratio": 2.0},
        "text_cfg": {"context_length": 8, "vocab_size": 16, "width": 4, "heads": 1, "layers": 1},
    },
    extract_layers=(1,), reduce_dim=2, decoder_heads=1, decoder_intermediate=6, image_size=8,
)


def test_a_product_multiplies_and_adds():
    assert Product(2, 3, 5).flop == 60


def test_an_image_is_encoded_once_and_decoded_for_each_prompt():
    assert Arithmetic(encoder=100, reductions=10, prompt=1).image(4) == 114


def test_a_tiny_network_by_hand():
    # 8x8 pixels in patches of 4x4: 4 cells, 5 tokens of 4 channels; blocks 0 and 1 of 3.
    patches = 2 * 4 * 48 * 4
    block = 2 * 5 * (4 * 12 + 4 * 4 + 4 * 8 + 8 * 4) + 2 * (2 * 5 * 5 * 4)
    layer = 2 * 5 * (2 * 6 + 2 * 2 + 2 * 6 + 6 * 2) + 2 * (2 * 5 * 5 * 2)
    film = 2 * (2 * 3 * 2)
    plain = 2 * 4 * 2 * 16
    assert count_arithmetic(TINY, 8) == Arithmetic(
        encoder=patches + 2 * block, reductions=2 * 5 * 4 * 2, prompt=film + layer + plain)
    # 3x3 convolution, then 4x4 pixels and 1 channel from each cell, then 1 pixel from each of those
    refined = 2 * 4 * 9 * 2 * 2 + 2 * 4 * 2 * 16 + 2 * 64 * 1 * 1
    assert count_arithmetic(replace(TINY, refined=True), 8).prompt == film + layer + refined


def test_the_published_network_by_hand():
    # 485 tokens of 768 channels; a block's weights are 12 * 768**2, ten blocks are used
    patches = 2 * 484 * 768 * 768
    block = 2 * 485 * 12 * 768**2 + 4 * 485**2 * 768
    counted = count_arithmetic(replace(VIT_B_16, refined=True), 352)
    assert counted.encoder == patches + 10 * block == 76_452_575_232
    assert counted.reductions == 3 * 2 * 485 * 768 * 64
    assert round(counted.prompt / 1e9, 2) == 1.07
    assert [product.flop for product in block_products(VIT_B_16, 352)] == [
        2 * 485 * 768 * columns for columns in (3 * 768, 768, 4 * 768, 4 * 768)]


@pytest.mark.parametrize(("config", "side"), [
    (replace(VIT_B_16, refined=True), 352), (VIT_B_16, 224), (replace(SMALL, refined=True), 160),
    (replace(SMALL, refined=True, stem=True, presence=True, coordinates=True), 160)])
@torch.no_grad()
def test_pytorch_counts_the_same(config, side):
    with torch.device("meta"):  # shapes alone: nothing is computed
        model, pixels = CLIPSeg(config).eval(), torch.empty(1, 3, side, side)
        embeddings = torch.empty(2, config.clip["embed_dim"])
    counter = FlopCounterMode(display=False)
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with counter, sdpa_kernel(SDPBackend.MATH):
            features = model.encode_image(pixels)
            encoder = counter.get_total_flops()
            model.decoder(features.activations, features.grid, embeddings)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    counted = count_arithmetic(config, side)
    assert (encoder, counter.get_total_flops()) == (counted.encoder, counted.image(2))
