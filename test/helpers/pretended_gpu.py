# SPDX-License-Identifier: Apache-2.0
"""A GPU that is a CPU: it takes a GPU's steps, says that it is one, and can be wrong on purpose."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

from clipseg_ros.clipseg import startup
from clipseg_ros.clipseg.cuda import OutOfMemoryError
from clipseg_ros.clipseg.cuda import backend as cuda_backend
from clipseg_ros.clipseg.cuda.backend import GpuBackend
from clipseg_ros.clipseg.cuda.graphs import Captured
from clipseg_ros.clipseg.segmenter import Segmenter


class Way(NamedTuple):
    """What is tried, and for what."""

    graphs: bool
    precision: str
    pictures: int
    prompts: int
    """0 for the encoder."""


def stale(result, earlier):
    return result if earlier is None else earlier


def not_finite(result, earlier):
    return result * float("nan")


def nothing(result, earlier):
    return result - 100


def other_prompt(result, earlier):
    return result.roll(1, 1)


def fails(result, earlier):
    raise RuntimeError("CUDA error: an illegal memory access was encountered\nCompile with TORCH_USE_CUDA_DSA")


def short_of_memory(result, earlier):
    raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class PretendedGpu(Segmenter):
    """`fault` spoils the results of those ways for which `wrong` is true; `loaded` tells what was asked for."""

    fault = staticmethod(stale)
    wrong = staticmethod(lambda way: False)
    loaded: list[tuple[str, str, str]] = []
    precision_now = ""

    @property
    def device(self):
        return torch.device("cuda", 0)

    @property
    def gpu_memory(self):
        return 2**20

    @classmethod
    def load(cls, weights, *, device="auto", precision="auto", gpu_graphs="auto", **settings):
        cls.loaded.append((str(device), precision, gpu_graphs))
        if str(device) == "cpu":
            return Segmenter.load(weights, device="cpu", precision=precision, **settings)
        precision = "float16" if precision == "auto" else precision
        made = super().load(weights, device="cpu", precision=precision, **settings)

        made._backend = GpuBackend(made._model, made.input_size, graphs=gpu_graphs == "auto", progress=print)
        cls.precision_now = precision
        return made

    @classmethod
    def captured(cls, function, inputs, *, record, pool):
        """Stands for `Captured`."""
        pictures, prompts = (*map(len, inputs), 0)[:2]
        way = Way(record, cls.precision_now, pictures, prompts)
        return Spoilt(function, cls.fault) if cls.wrong(way) else Captured(function, inputs)


@pytest.fixture
def pretended_gpu(monkeypatch):
    """A class of its own for each test, which `load_warm` uses from now on."""
    gpu = type("PretendedGpu", (PretendedGpu,), {"loaded": []})
    monkeypatch.setattr(cuda_backend, "Captured", gpu.captured)
    monkeypatch.setattr(startup, "Segmenter", gpu)
    return gpu


class Spoilt:
    """Computes what its function computes, and returns something else."""

    def __init__(self, function, fault):
        self._function, self._fault, self._earlier = function, fault, None

    def __call__(self, *inputs):
        result = self._function(*inputs)
        spoilt, self._earlier = self._fault(result, self._earlier), result
        return spoilt
