# SPDX-License-Identifier: Apache-2.0
"""Muon in float32: torch's own fixes bfloat16, which takes most of a run on processors without units for it."""
from __future__ import annotations

from typing import Iterable

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Momentum whose step is replaced by the nearest orthogonal matrix, for matrices (out, in) alone.

    Jordan et al. 2024 (kellerjordan.github.io/posts/muon), with the step scaled to the size of AdamW's as in "Muon is
    Scalable for LLM Training" (arXiv 2502.16982), so that both share a learning rate. On a GPU the orthogonal matrix
    is found in bfloat16.

    Raises ValueError for a parameter that is no matrix.
    """

    def __init__(self, parameters: Iterable[Tensor], *, lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        parameters = list(parameters)
        wrong = next((tuple(matrix.shape) for matrix in parameters if matrix.dim() != 2), None)
        if wrong is not None:
            raise ValueError(f"a parameter has the shape {wrong}; Muon takes matrices alone.")
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        """Change the parameters that have a gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._change(matrix, group)

    def _change(self, matrix: Tensor, group: dict) -> None:
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        average = state["momentum_buffer"]
        average.lerp_(matrix.grad, 1.0 - group["momentum"])
        direction = orthogonalise(matrix.grad.lerp(average, group["momentum"]))
        matrix.mul_(1.0 - group["lr"] * group["weight_decay"])
        matrix.add_(direction, alpha=-0.2 * max(matrix.shape) ** 0.5 * group["lr"])


def orthogonalise(matrix: Tensor, *, steps: int = 5) -> Tensor:
    """The orthogonal matrix nearest to `matrix` (m, n), its singular values within about 0.7 to 1.2.

    `steps` of a Newton-Schulz iteration; where singular values start below 0.001 of the norm they stay smaller.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    flat = matrix.T if tall else matrix
    flat = flat.bfloat16() if matrix.is_cuda else flat.float()
    flat = flat / flat.norm().clamp(min=1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(steps):
        gram = flat @ flat.T
        flat = torch.addmm(flat, torch.addmm(gram, gram, gram, beta=b, alpha=c), flat, beta=a)
    return (flat.T if tall else flat).to(matrix.dtype)
