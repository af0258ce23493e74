# SPDX-License-Identifier: Apache-2.0
"""A running average of a network's weights, which segments better than the last ones."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterable, Iterator

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of parameters: average = d * average + (1 - d) * weights after every step.

    `decay` d is reached gradually: it is min(decay, (1 + n) / (10 + n)) at step n.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        self._parameters = list(parameters)
        self._decay = decay
        self.steps = 0
        self.averages = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the present weights."""
        self.steps += 1
        decay = min(self._decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.averages, [p.detach() for p in self._parameters], 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the context the network has the averaged weights."""
        own = [parameter.detach().clone() for parameter in self._parameters]
        self._put(self.averages)
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def load(self, averages: list[Tensor], steps: int) -> None:
        """Go on with the averages of an earlier session."""
        for mine, loaded in zip(self.averages, averages, strict=True):
            mine.copy_(loaded)
        self.steps = steps

    @torch.no_grad()
    def _put(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self._parameters, values):
            parameter.copy_(value)
