# SPDX-License-Identifier: Apache-2.0
"""A convolutional stem beside the patches: what is finer than a patch, for small things and for edges."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

_CHANNELS = 32
_FINE = 4
"""Cells of a patch along a side, those of the refined head's first step."""


class Stem(nn.Module):
    """Overlapping convolutions at a quarter of a patch (Xiao et al., "Early Convolutions Help Transformers See Better",
    NeurIPS 2021), whose result is added to the embedded patches and shown to the head.

    Parameters
    ----------
    width : channels of the embedded patches
    reduce_dim : channels of the decoder's tokens, a multiple of 16, which hold a patch's 4 x 4 cells
    patch_size : a multiple of 8, pixels
    """

    def __init__(self, width: int, reduce_dim: int, patch_size: int) -> None:
        super().__init__()
        if patch_size % 8 or reduce_dim % _FINE**2:
            raise ValueError(f"a stem needs a patch size that is a multiple of 8 and a reduce_dim that is one of 16, "
                             f"not {patch_size} and {reduce_dim}")
        self.halves = nn.Conv2d(3, _CHANNELS // 2, 3, stride=2, padding=1)
        self.cells = nn.Conv2d(_CHANNELS // 2, _CHANNELS, 3, stride=patch_size // 8, padding=1)
        self.patches = nn.Conv2d(_CHANNELS, width, _FINE, stride=_FINE, bias=False)
        self.fine = nn.Conv2d(_CHANNELS, reduce_dim // _FINE**2, 3, padding=1)
        nn.init.zeros_(self.patches.weight)  # as if there were none

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Of normalised pixels (B, 3, h, w), return what to add to the patches and what the head sees.

        They are (B, width, rows, cols) and (B, 1 + rows * cols, reduce_dim), whose first token is empty.
        """
        cells = functional.relu(self.cells(functional.relu(self.halves(pixels))))
        fine = functional.pixel_unshuffle(self.fine(cells), _FINE).flatten(2).transpose(1, 2)
        return self.patches(cells), functional.pad(fine, (0, 0, 1, 0))


def cells_of(fine: Tensor, grid: tuple[int, int]) -> Tensor:
    """Turn (B, 1 + rows * cols, reduce_dim) back into cells, (B, reduce_dim / 16, 4 * rows, 4 * cols)."""
    return functional.pixel_shuffle(fine[:, 1:].transpose(1, 2).unflatten(2, grid), _FINE)
