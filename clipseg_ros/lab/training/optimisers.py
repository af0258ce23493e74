# SPDX-License-Identifier: Apache-2.0
"""The optimiser of a run: AdamW, or Muon for the matrices of the transformer blocks and AdamW for everything else."""
from __future__ import annotations

from typing import Any, Iterable

import torch
from torch import nn

from clipseg_ros.lab.training.config import OptimiserConfig
from clipseg_ros.lab.training.muon import Muon

KINDS = ("adamw", "muon")
_BLOCKS = ("resblocks.", "decoder.layers.")


class Optimisers:
    """One or two of torch's optimisers that share a learning rate.

    Muon (see muon.py) teaches small towers from scratch about three times as fast per picture; for a decoder on frozen
    towers the paper's AdamW is the default.

    Parameters
    ----------
    named : (name, parameter) of everything that learns
    decay_vectors : whether weight decay also holds for biases, gains and single vectors, as in the paper

    Raises ValueError for an unknown kind.
    """

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]], options: OptimiserConfig, *,
                 decay_vectors: bool) -> None:
        if options.kind not in KINDS:
            raise ValueError(f"optimiser.kind is {options.kind!r}; it must be one of {', '.join(KINDS)}.")
        named = list(named)
        blocks = [p for name, p in named if options.kind == "muon" and p.dim() == 2 and any(b in name for b in _BLOCKS)]
        taken = {id(parameter) for parameter in blocks}
        rest = [parameter for _, parameter in named if id(parameter) not in taken]
        decay = options.weight_decay
        groups = [{"params": [p for p in rest if p.dim() > 1 or decay_vectors], "weight_decay": decay},
                  {"params": [p for p in rest if p.dim() <= 1 and not decay_vectors], "weight_decay": 0.0}]
        self._all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW([group for group in groups if group["params"]], lr=options.peak,
                              betas=tuple(options.betas))]
        if blocks:
            self._all.append(Muon(blocks, lr=options.peak, weight_decay=decay))

    def set_rate(self, rate: float) -> None:
        """Use the learning rate `rate` from now on."""
        for optimiser in self._all:
            for group in optimiser.param_groups:
                group["lr"] = rate

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for optimiser in self._all:
            optimiser.zero_grad(set_to_none=True)

    def unscale(self, scaler: torch.amp.GradScaler) -> None:
        """Bring the gradients back to their true size."""
        for optimiser in self._all:
            scaler.unscale_(optimiser)

    def step(self, scaler: torch.amp.GradScaler) -> None:
        """Change the parameters along their gradients."""
        for optimiser in self._all:
            scaler.step(optimiser)

    def state_dict(self) -> list[dict[str, Any]]:
        """What `load_state_dict` takes to go on."""
        return [optimiser.state_dict() for optimiser in self._all]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Go on from a state; raise ValueError when it is of another kind of optimiser."""
        if len(states) != len(self._all):
            raise ValueError("the state belongs to another optimiser.kind; resume with that of its configuration.")
        for optimiser, state in zip(self._all, states):
            optimiser.load_state_dict(state)
