# SPDX-License-Identifier: Apache-2.0
"""The same network, faster on x86 processors: float32 layers with weights packed for oneDNN.

PyTorch multiplies float32 matrices with MKL, which leaves the wide vector units of AMD processors unused. oneDNN, which
comes with PyTorch, uses them: with 512-bit vectors an image is encoded in about half the time, with 256-bit ones both
take the same. Results differ by rounding only (a few millionths of the logits' spread).
"""

from __future__ import annotations

import copy
import platform

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from clipseg_ros.clipseg.model import CLIPSeg


def is_available() -> bool:
    """Whether this PyTorch, on this processor, has the packed layers and they compute what they should."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not torch.backends.mkldnn.is_available():
        return False
    weight = torch.arange(12.0).view(3, 4)
    rows, bias = torch.ones(2, 4), torch.tensor([0.5, -30.0, 0.0])
    try:
        result = PackedLinear(weight, bias, activation="relu")(rows)
    except (AttributeError, RuntimeError):  # these operators are PyTorch's own and may change
        return False
    return torch.allclose(result, linear(rows, weight, bias).relu())


def pack(model: CLIPSeg) -> CLIPSeg:
    """Return an inference-only twin of a float32 CPU network, with packed layers; `model` stays as it is."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared)
    for tower in (twin.clip.visual.transformer, twin.clip.transformer):
        for block in tower.resblocks:
            block.attn = PackedAttention(block.attn)
            block.mlp.c_fc = _packed(block.mlp.c_fc)
            block.mlp.c_proj = _packed(block.mlp.c_proj)
    decoder = twin.decoder
    decoder.reduces = nn.ModuleList(_packed(reduce) for reduce in decoder.reduces)
    decoder.layers = nn.ModuleList(PackedDecoderLayer(layer) for layer in decoder.layers)
    return twin


class PackedLinear(nn.Module):
    """x @ weight.T + bias with weight (out, in) in oneDNN's own layout, then perhaps a ReLU."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, activation: str = "none") -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), None)
        self._bias = None if bias is None else bias.detach()
        self._activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), float32."""
        return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, self._activation, [], "")


class PackedAttention(nn.Module):
    """Self-attention with the weights of a batch-first `nn.MultiheadAttention`, called as CLIP's blocks call that."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self._heads = attention.num_heads
        self._in = PackedLinear(attention.in_proj_weight, attention.in_proj_bias)
        self._out = _packed(attention.out_proj)

    def forward(self, query: Tensor, *_: Tensor, attn_mask: Tensor | None = None, **__: object) -> tuple[Tensor, None]:
        """(B, tokens, width) -> the same shape, and None for the attention weights."""
        qkv = self._in(query).unflatten(-1, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(*qkv, attn_mask=attn_mask)  # (B, heads, tokens, head width)
        return self._out(mixed.transpose(1, 2).flatten(2)), None


class PackedDecoderLayer(nn.Module):
    """A post-norm `nn.TransformerEncoderLayer` with ReLU, as in CLIPSeg's decoder."""

    def __init__(self, layer: nn.TransformerEncoderLayer) -> None:
        super().__init__()
        self._attention = PackedAttention(layer.self_attn)
        self._linear1 = PackedLinear(layer.linear1.weight, layer.linear1.bias, activation="relu")
        self._linear2 = _packed(layer.linear2)
        self._norm1, self._norm2 = layer.norm1, layer.norm2

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, tokens, width) -> the same shape."""
        tokens = self._norm1(tokens + self._attention(tokens)[0])
        return self._norm2(tokens + self._linear2(self._linear1(tokens)))


def _packed(layer: nn.Linear) -> PackedLinear:
    return PackedLinear(layer.weight, layer.bias)
