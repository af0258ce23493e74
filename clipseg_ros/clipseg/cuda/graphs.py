# SPDX-License-Identifier: Apache-2.0
"""A function of tensors of fixed shapes, recorded once as a CUDA graph and replayed with one launch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from clipseg_ros.clipseg.cuda import OutOfMemoryError

_RUNS_BEFORE = 3
"""Libraries choose their kernels and get their memory in the first runs, which a recording must not hold."""


class Captured:
    """Calls `function` with tensors of the shapes, types and device of `inputs`; unrecorded, as on a CPU, simply so.

    On a GPU the inputs are copied to where the recording reads them, and the result is where it wrote it: valid until
    the next call of this one or of another one with the same `pool`.

    Parameters
    ----------
    function : of as many tensors as `inputs`, returns a tensor; on a GPU it must not wait for one
    inputs : examples; they are kept
    record : whether it is recorded on a GPU; unrecorded, it is run there once, which tells whether the memory suffices
    pool : memory that recordings share which never run at the same time

    Raises cuda.OutOfMemoryError where the GPU's memory does not suffice.
    """

    def __init__(self, function: Callable[..., Tensor], inputs: Sequence[Tensor], *, record: bool = True,
                 pool: Any = None) -> None:
        self._function = function
        self._inputs = tuple(inputs)
        self._graph: torch.cuda.CUDAGraph | None = None
        if self._inputs[0].device.type == "cuda":
            if record:
                self._record(pool)
            else:
                function(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        if self._graph is None:
            return self._function(*inputs)
        for kept, given in zip(self._inputs, inputs, strict=True):
            kept.copy_(given, non_blocking=True)
        self._graph.replay()
        return self._result

    def _record(self, pool: Any) -> None:
        device = self._inputs[0].device
        stream = _recording_stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(_RUNS_BEFORE):
                self._function(*self._inputs)
        torch.cuda.current_stream(device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            # "thread_local", since other threads may use the GPU meanwhile.
            with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                self._result = self._function(*self._inputs)
        except RuntimeError as error:
            # A recording that breaks off for want of memory ends with another error, which hides that one.
            raise error.__context__ if isinstance(error.__context__, OutOfMemoryError) else error
        self._graph = graph


@cache
def _recording_stream(device: torch.device) -> torch.cuda.Stream:
    """One for all recordings on a GPU: cuBLAS gives each stream a workspace of up to 32 MiB, and keeps it."""
    return torch.cuda.Stream(device)
