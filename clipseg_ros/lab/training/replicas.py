# SPDX-License-Identifier: Apache-2.0
"""One run on several GPUs, or on several cores, in as many processes: started by `torchrun --nproc-per-node N`."""
from __future__ import annotations

import os
from datetime import timedelta
from typing import Callable, Iterable, TypeVar

import torch
from torch import distributed, nn

T = TypeVar("T")
_PATIENCE = timedelta(hours=2)


class Replicas:
    """The processes of a run. Each works on its own batches; the gradients are averaged before every step.

    Without torchrun there is one, and nothing is exchanged. The first (`leads`) writes the files.
    """

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.size > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE)

    @property
    def leads(self) -> bool:
        """Whether this process writes, measures and tells."""
        return self.rank == 0

    def device(self, wanted: str) -> str:
        """The device of this process: "auto" is the GPU of the process's number."""
        local = os.environ.get("LOCAL_RANK", "0")
        return f"cuda:{local}" if self.size > 1 and wanted == "auto" and torch.cuda.is_available() else wanted

    def leader_first(self, action: Callable[[], T]) -> T:
        """Run `action`, which writes a cache that the next one finds, in the first process before the others."""
        result = action() if self.leads else None
        if self.size > 1:
            distributed.barrier()
        return result if self.leads else action()

    def leader_alone(self, action: Callable[[], object]) -> None:
        """Run `action`, which writes files, in the first process alone; the others wait for it."""
        self.leader_first(lambda: action() if self.leads else None)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes; a missing one counts as zero."""
        if self.size == 1:
            return
        parameters = list(parameters)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters])):
            parameter.grad = part.view_as(parameter)

    def agree(self, value: float, device: torch.device) -> float:
        """The first process's `value`, in every process."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=device)
        distributed.broadcast(told, src=0)
        return float(told)

    def close(self) -> None:
        """Part from the others."""
        if self.size > 1:
            distributed.destroy_process_group()
