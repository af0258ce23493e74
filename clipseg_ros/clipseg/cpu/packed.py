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
from functools import cache

import torch
from open_clip.transformer import QuickGELU
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention, silu

from clipseg_ros.clipseg.model import CLIPSeg, twin_of

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
    tolerance = max(1e-5, torch.finfo(precision).eps)
    return all(torch.allclose(result, expected, rtol=tolerance)
               for result, expected in zip(results, (plain.relu(), silu(plain))))


def pack(model: CLIPSeg, precision: torch.dtype = torch.float32) -> CLIPSeg:
    """Return an inference-only twin of a float32 CPU network, with packed layers; `model` stays as it is.

    precision : of the twin, float32 or bfloat16.
    """
    twin = twin_of(model) if precision == torch.float32 else copy.deepcopy(model)
    blocks = [*twin.clip.visual.transformer.resblocks, *twin.clip.transformer.resblocks]
    for block in blocks:
        _turn_into_silu(block.mlp)  # before the weights are rounded
    twin.to(precision)
    for block in blocks:
        block.attn = PackedAttention(block.attn)
        _pack_mlp(block.mlp)
    decoder = twin.decoder
    decoder.reduces = nn.ModuleList(_packed(reduce) for reduce in decoder.reduces)
    decoder.layers = nn.ModuleList(PackedDecoderLayer(layer) for layer in decoder.layers)
    return twin


class PackedLinear(nn.Module):
    """x @ weight.T + bias with weight (out, in) in oneDNN's own layout, then perhaps "relu" or "swish" (SiLU)."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, activation: str = "none") -> None:
        super().__init__()
        weight = weight.detach().contiguous()
        # On AMX one thread alone would multiply by packed weights of these widths; by plain ones all do.
        is_plain = _has_amx(weight.dtype) and 512 < len(weight) < 1024
        if not is_plain:
            weight = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        self.register_buffer("_weight", weight, persistent=False)
        self.register_buffer("_bias", None if bias is None else bias.detach(), persistent=False)
        self._activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), in the type of the weights."""
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
        # The fused one is the slower one in bfloat16, except on AMX.
        if attn_mask is None and qkv.dtype == torch.bfloat16 and not _has_amx(qkv.dtype):
            mixed = _attend_in_steps(*qkv.contiguous())
        else:
            mixed = scaled_dot_product_attention(*qkv, attn_mask=attn_mask)  # (B, heads, tokens, head width)
        return self._out(mixed.transpose(1, 2).flatten(2)), None


class PackedDecoderLayer(nn.Module):
    """A post-norm `nn.TransformerEncoderLayer` with ReLU, as in CLIPSeg's decoder."""

    def __init__(self, layer: nn.TransformerEncoderLayer) -> None:
        super().__init__()
        self._attention = PackedAttention(layer.self_attn)
        self._linear1 = _packed(layer.linear1, activation="relu")
        self._linear2 = _packed(layer.linear2)
        self._norm1, self._norm2 = layer.norm1, layer.norm2

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, tokens, width) -> the same shape."""
        tokens = self._norm1(tokens + self._attention(tokens)[0])
        return self._norm2(tokens + self._linear2(self._linear1(tokens)))


@cache
def _has_amx(precision: torch.dtype) -> bool:
    """Whether this processor multiplies matrices of this type with its AMX tiles, as far as PyTorch says so."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return precision == torch.bfloat16 and capabilities.get("amx_bf16", False)


def _packed(layer: nn.Linear, *, activation: str = "none") -> PackedLinear:
    return PackedLinear(layer.weight, layer.bias, activation=activation)


def _turn_into_silu(mlp: nn.Sequential) -> None:
    """Replace CLIP's activation by SiLU between a layer that scales by 1.702 and one that takes it back."""
    if isinstance(mlp.gelu, QuickGELU):
        # New parameters, since the old ones may be shared.
        for layer, name, scale in ((mlp.c_fc, "weight", _QUICK_GELU), (mlp.c_fc, "bias", _QUICK_GELU),
                                   (mlp.c_proj, "weight", 1 / _QUICK_GELU)):
            setattr(layer, name, nn.Parameter(scale * getattr(layer, name).detach(), requires_grad=False))
        mlp.gelu = nn.SiLU()


def _pack_mlp(mlp: nn.Sequential) -> None:
    """Pack a CLIP block's two layers, in place; oneDNN computes a SiLU between them while it multiplies."""
    fused = isinstance(mlp.gelu, nn.SiLU)
    mlp.c_fc = _packed(mlp.c_fc, activation="swish" if fused else "none")
    mlp.c_proj = _packed(mlp.c_proj)
    if fused:
        mlp.gelu = nn.Identity()


def _attend_in_steps(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of contiguous (B, heads, tokens, head width): without AMX two thirds of the fused one's time."""
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return scores.softmax(dim=-1) @ value
