# SPDX-License-Identifier: Apache-2.0
"""CLIPSeg's decoder: FiLM, a thin transformer over CLIP activations, and a transposed-convolution head."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from clipseg_ros.clipseg.stem import cells_of


class Decoder(nn.Module):
    """Decoder of CLIPSeg (Lueddecke & Ecker, CVPR 2022, section 3), for any number of prompts at once.

    Parameters
    ----------
    width, embed_dim : channels of the image activations, and of the prompt embeddings.
    patch_size : patch of the image tower in pixels; a multiple of 4 when `refined`.
    depth : number of activations, each with its own reduction and transformer layer.
    presence : whether a second answer, read from the class token behind the last layer, says if the picture shows what
        the prompt means at all. No pixel is then surer than that answer. (The paper's decoder has none.)
    stem : whether the first activation is what a `Stem` shows to the head, which is then the refined one.
    coordinates : whether each token is told where in the picture it is. A network that learns from mirrored pictures
        forgets what is left and what is right, and cannot know the leftmost of several.
    """

    def __init__(self, width: int, embed_dim: int, *, patch_size: int, depth: int = 3, reduce_dim: int = 64,
                 heads: int = 4, intermediate: int = 2048, conditional_layer: int = 0, refined: bool = False,
                 presence: bool = False, stem: bool = False, coordinates: bool = False):
        super().__init__()
        if not 0 <= conditional_layer < depth:
            raise ValueError(
                f"conditional_layer is {conditional_layer}, but must name one of the {depth} decoder layers (from 0)"
            )
        if stem and not refined:
            raise ValueError("a stem needs the refined head, which has the cells that it describes")
        self.conditional_layer = conditional_layer
        self.film_mul = nn.Linear(embed_dim, reduce_dim)
        self.film_add = nn.Linear(embed_dim, reduce_dim)
        self.reduces = nn.ModuleList(nn.Linear(width, reduce_dim) for _ in range(depth))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(reduce_dim, heads, intermediate, dropout=0.0, batch_first=True)
            for _ in range(depth)
        )
        self.head = RefinedHead(reduce_dim, patch_size) if refined else plain_head(reduce_dim, patch_size)
        self.presence = nn.Linear(reduce_dim, 1) if presence else None
        self.cells = nn.Conv2d(reduce_dim // 16, reduce_dim // 2, 1, bias=False) if stem else None
        self.coordinates = nn.Linear(2, reduce_dim, bias=False) if coordinates else None
        self.initialise()

    def initialise(self) -> None:
        """Start FiLM as the identity and the masks as mostly empty; the rest keeps PyTorch's default.

        With weights of standard deviation 1 in these layers the network does not learn at all.
        """
        nn.init.ones_(self.film_mul.bias)
        nn.init.zeros_(self.film_add.bias)
        last = self.head[-1] if isinstance(self.head, nn.Sequential) else self.head
        nn.init.constant_(last.bias, -2.0)
        if self.cells is not None:
            nn.init.zeros_(self.cells.weight)
        if self.presence is not None:  # as if there were none
            nn.init.zeros_(self.presence.weight)
            nn.init.constant_(self.presence.bias, 4.0)
        if self.coordinates is not None:  # as large as the tokens are
            nn.init.normal_(self.coordinates.weight)

    def forward(self, activations: Sequence[Tensor], grid: tuple[int, int], embeddings: Tensor) -> Tensor:
        """Return logits (B, P, h, w) for B images and P prompts.

        Parameters
        ----------
        activations : one (B, 1 + rows * cols, width) for each layer, shallowest first, CLS token first; before them a
            stem's (B, 1 + rows * cols, reduce_dim).
        grid : (rows, cols) of patches.
        embeddings : (P, embed_dim) for all images alike, or (B, P, embed_dim). They are not normalised.
        """
        return self.paint(self.reduce(activations, grid), grid, embeddings)

    def reduce(self, activations: Sequence[Tensor], grid: tuple[int, int]) -> tuple[Tensor, ...]:
        """Return (B, 1 + rows * cols, reduce_dim) for each layer, deepest first, and a stem's; all prompts share it."""
        reduced = [reduce(activation) for activation, reduce in zip(reversed(activations), self.reduces)]
        if self.coordinates is not None:
            reduced[0] = reduced[0] + self.coordinates(patch_coordinates(grid, reduced[0]))
        return tuple(reduced) if self.cells is None else (*reduced, activations[0])

    def paint(self, reduced: Sequence[Tensor], grid: tuple[int, int], embeddings: Tensor) -> Tensor:
        """Return the logits of `forward` from what `reduce` returned."""
        return gated(*self.answers(reduced, grid, embeddings))

    def answers(self, reduced: Sequence[Tensor], grid: tuple[int, int],
                embeddings: Tensor) -> tuple[Tensor, Tensor | None]:
        """As `paint`, in two: where it is if it is there, (B, P, h, w), and whether it is, (B, P) or None; logits."""
        batch = reduced[0].shape[0]
        if embeddings.dim() == 2:
            embeddings = embeddings.expand(batch, -1, -1)
        prompts = embeddings.shape[1]
        tokens = None
        for index, (activation, layer) in enumerate(zip(reduced, self.layers)):
            activation = activation.unsqueeze(1)  # (B, 1, tokens, reduce_dim)
            tokens = activation if tokens is None else activation + tokens
            if index == self.conditional_layer:
                tokens = self.film_mul(embeddings).unsqueeze(2) * tokens + self.film_add(embeddings).unsqueeze(2)
            tokens = layer(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])
        maps = tokens[:, :, 1:].flatten(0, 1).transpose(1, 2).unflatten(2, grid)
        if self.cells is None:
            maps = self.head(maps)
        else:
            maps = self.head(maps, self.cells(cells_of(reduced[-1], grid)))
        maps = maps.squeeze(1).unflatten(0, (batch, prompts))
        return maps, None if self.presence is None else self.presence(tokens[:, :, 0]).squeeze(-1)


def patch_coordinates(grid: tuple[int, int], like: Tensor) -> Tensor:
    """Where tokens are: (1 + rows * cols, 2), x and y of the patches' centres in (-1, 1), 0 for the class token."""
    rows, cols = grid
    y, x = ((2 * torch.arange(count, dtype=like.dtype, device=like.device) + 1) / count - 1 for count in grid)
    patches = torch.stack([x.expand(rows, cols), y[:, None].expand(rows, cols)], dim=-1)
    return functional.pad(patches.flatten(0, 1), (0, 0, 1, 0))


def gated(maps: Tensor, presence: Tensor | None) -> Tensor:
    """The one answer of `Decoder.answers`' two: (B, P, h, w) logits, none surer than the presence, if there is one."""
    return maps if presence is None else torch.minimum(maps, presence[..., None, None])


def plain_head(channels: int, patch_size: int) -> nn.Module:
    """Return the head that paints each patch at once: (N, channels, rows, cols) -> (N, 1, h, w)."""
    return PatchUpsampling(channels, 1, patch_size)


class RefinedHead(nn.Sequential):
    """The head of the "refined" checkpoints: a 3x3 convolution, then upsampling in two steps.

    Raises ValueError for a patch size that is not a multiple of 4.
    """

    def __init__(self, channels: int, patch_size: int) -> None:
        if patch_size % 4:
            raise ValueError(f"a refined head needs a patch size that is a multiple of 4, not {patch_size}")
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            PatchUpsampling(channels, channels // 2, 4),
            nn.ReLU(),
            PatchUpsampling(channels // 2, 1, patch_size // 4),
        )

    def forward(self, maps: Tensor, cells: Tensor | None = None) -> Tensor:
        """(B * P, channels, rows, cols) -> (B * P, 1, h, w); `cells`, (B, channels / 2, 4 * rows, 4 * cols), are added
        behind the first upsampling."""
        if cells is None:
            return super().forward(maps)
        convolve, relu, to_cells, _, to_pixels = self
        maps = to_cells(relu(convolve(maps))).unflatten(0, (len(cells), -1)) + cells.unsqueeze(1)
        return to_pixels(relu(maps.flatten(0, 1)))


class PatchUpsampling(nn.ConvTranspose2d):
    """The transposed convolution whose patches touch but do not overlap, as the matrix product that it then is.

    Parameters
    ----------
    patch : side in pixels of what each pixel becomes; kernel size and stride.

    On a CPU a tenth to a half of PyTorch's own transposed convolution's time.
    """

    def __init__(self, inputs: int, outputs: int, patch: int) -> None:
        super().__init__(inputs, outputs, patch, stride=patch)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, rows, cols) -> (N, outputs, patch * rows, patch * cols)."""
        weight = self.weight.permute(2, 3, 1, 0)  # (patch, patch, outputs, inputs)
        bias = self.bias.expand(weight.shape[:3])
        pixels = maps.permute(0, 2, 3, 1).contiguous()  # else PyTorch may multiply row by row
        patches = functional.linear(pixels, weight.flatten(0, 2), bias.flatten())
        patches = patches.unflatten(3, weight.shape[:3]).transpose(2, 3)  # (N, rows, patch, cols, patch, outputs)
        return patches.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)
