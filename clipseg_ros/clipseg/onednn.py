# SPDX-License-Identifier: Apache-2.0
"""The same network, faster on x86 processors: layers with weights packed for oneDNN.

PyTorch multiplies float32 matrices with MKL, which leaves the wide vector units of AMD processors unused, and packs
bfloat16 weights anew for each picture. oneDNN, which comes with PyTorch, does neither: with 512-bit vectors an image is
encoded in about half the time in float32, in five sixths in bfloat16. Results differ by rounding only (in float32 a few
millionths of the logits' spread).
"""

from __future__ import annotations

import copy
import platform

import torch
from open_clip.transformer import QuickGELU
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention, silu

from clipseg_ros.clipseg.model import CLIPSeg

_QUICK_GELU = 1.702
"""CLIP's activation is x * sigmoid(1.702 * x)."""


def is_available(precision: torch.dtype = torch.float32) -> bool:
    """Whether this PyTorch, on this processor, has the packed layers and they compute what they should."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not torch.backends.mkldnn.is_available():
        return False
    weight = torch.arange(12, dtype=precision).view(3, 4)
    rows, bias = torch.ones(2, 4, dtype=precision), torch.tensor([0.5, -30.0, 0.0], dtype=precision)
    try:
        results = [PackedLinear(weight, bias, activation=activation)(rows) for activation in ("relu", "swish")]
    except (AttributeError, RuntimeError):  # these operators are PyTorch's own and may change
        return False
    plain = linear(rows, weight, bias)
    return all(torch.allclose(result, expected, rtol=1e-2)
               for result, expected in zip(results, (plain.relu(), silu(plain))))


def pack(model: CLIPSeg, precision: torch.dtype = torch.float32) -> CLIPSeg:
    """Return an inference-only twin of a float32 CPU network, with packed layers; `model` stays as it is.

    precision : of the twin, float32 or bfloat16.
    """
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared if precision == torch.float32 else {})
    for tower in (twin.clip.visual.transformer, twin.clip.transformer):
        for block in tower.resblocks:
            block.attn = PackedAttention(block.attn, precision)
            _pack_mlp(block.mlp, precision)
    decoder = twin.decoder
    decoder.reduces = nn.ModuleList(_packed(reduce, precision) for reduce in decoder.reduces)
    decoder.layers = nn.ModuleList(PackedDecoderLayer(layer, precision) for layer in decoder.layers)
    return twin.to(precision)


class PackedLinear(nn.Module):
    """x @ weight.T + bias with weight (out, in) in oneDNN's own layout, then perhaps "relu" or "swish" (SiLU)."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, activation: str = "none") -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), None)
        self._bias = None if bias is None else bias.detach()
        self._activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), in the type of the weights."""
        return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, self._activation, [], "")


class PackedAttention(nn.Module):
    """Self-attention with the weights of a batch-first `nn.MultiheadAttention`, called as CLIP's blocks call that."""

    def __init__(self, attention: nn.MultiheadAttention, precision: torch.dtype) -> None:
        super().__init__()
        self._heads = attention.num_heads
        self._in = PackedLinear(attention.in_proj_weight.to(precision), attention.in_proj_bias.to(precision))
        self._out = _packed(attention.out_proj, precision)

    def forward(self, query: Tensor, *_: Tensor, attn_mask: Tensor | None = None, **__: object) -> tuple[Tensor, None]:
        """(B, tokens, width) -> the same shape, and None for the attention weights."""
        qkv = self._in(query).unflatten(-1, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)
        if attn_mask is None and qkv.dtype == torch.bfloat16:
            mixed = _attend_in_steps(*qkv.contiguous())
        else:
            mixed = scaled_dot_product_attention(*qkv, attn_mask=attn_mask)  # (B, heads, tokens, head width)
        return self._out(mixed.transpose(1, 2).flatten(2)), None


class PackedDecoderLayer(nn.Module):
    """A post-norm `nn.TransformerEncoderLayer` with ReLU, as in CLIPSeg's decoder."""

    def __init__(self, layer: nn.TransformerEncoderLayer, precision: torch.dtype) -> None:
        super().__init__()
        self._attention = PackedAttention(layer.self_attn, precision)
        self._linear1 = _packed(layer.linear1, precision, activation="relu")
        self._linear2 = _packed(layer.linear2, precision)
        self._norm1, self._norm2 = layer.norm1, layer.norm2

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, tokens, width) -> the same shape."""
        tokens = self._norm1(tokens + self._attention(tokens)[0])
        return self._norm2(tokens + self._linear2(self._linear1(tokens)))


def _packed(layer: nn.Linear, precision: torch.dtype, *, scale: float = 1.0, bias_scale: float = 1.0,
            activation: str = "none") -> PackedLinear:
    return PackedLinear((scale * layer.weight).to(precision), (bias_scale * layer.bias).to(precision),
                        activation=activation)


def _pack_mlp(mlp: nn.Sequential, precision: torch.dtype) -> None:
    """Pack a CLIP block's two layers, in place.

    CLIP's activation is SiLU between a layer that scales by 1.702 and one that takes it back, which oneDNN computes
    while it multiplies.
    """
    scale = _QUICK_GELU if isinstance(mlp.gelu, QuickGELU) else 1.0
    if scale != 1.0:
        mlp.gelu = nn.Identity()
    mlp.c_fc = _packed(mlp.c_fc, precision, scale=scale, bias_scale=scale, activation="none" if scale == 1 else "swish")
    mlp.c_proj = _packed(mlp.c_proj, precision, scale=1 / scale)


def _attend_in_steps(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of contiguous (B, heads, tokens, head width): in bfloat16 two thirds of the fused one's time."""
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return scores.softmax(dim=-1) @ value
