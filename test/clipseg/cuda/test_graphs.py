# SPDX-License-Identifier: Apache-2.0
"""A recording computes what its function computes; one that lacks memory says so, whatever torch calls that."""

import importlib
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch

from clipseg_ros.clipseg import cuda
from clipseg_ros.clipseg.cuda import graphs
from clipseg_ros.clipseg.cuda.graphs import Captured

DEVICES = ["cpu", *(pytest.param(f"cuda:{index}", marks=pytest.mark.skipif(
    torch.cuda.device_count() <= index, reason=f"needs {index + 1} CUDA devices")) for index in range(2))]


@pytest.mark.parametrize("device", DEVICES)
def test_each_call_computes_with_its_own_inputs(device):
    calls = []

    def product(left, right):
        calls.append(None)
        return left @ right + 1

    recorded = Captured(product, [torch.zeros(4, 4, device=device), torch.zeros(4, 2, device=device)])
    before = len(calls)
    for seed in range(3):
        torch.manual_seed(seed)
        left, right = torch.randn(4, 4, device=device), torch.randn(4, 2, device=device)
        torch.testing.assert_close(recorded(left, right).clone(), left @ right + 1)
    assert len(calls) - before == (3 if device == "cpu" else 0)


def test_a_tensor_too_few_is_refused():
    recorded = Captured(torch.add, [torch.zeros(2), torch.zeros(2)])
    with pytest.raises(TypeError):
        recorded(torch.zeros(2))


def test_the_error_has_a_name_in_every_torch(monkeypatch):
    with monkeypatch.context() as old:
        old.delattr(torch, "OutOfMemoryError", raising=False)  # as in torch 2.4
        assert importlib.reload(cuda).OutOfMemoryError is torch.cuda.OutOfMemoryError
    assert importlib.reload(cuda).OutOfMemoryError is graphs.OutOfMemoryError is torch.cuda.OutOfMemoryError


@pytest.mark.parametrize("lacking, raised", [(cuda.OutOfMemoryError, cuda.OutOfMemoryError), (KeyError, RuntimeError)])
def test_a_recording_that_lacks_memory_says_so(monkeypatch, lacking, raised):
    @contextmanager
    def recording(*_, **__):
        try:
            yield
        except lacking:
            raise RuntimeError("the recording was broken off")

    def function(_):
        calls.append(None)
        if len(calls) > graphs._RUNS_BEFORE:
            raise lacking("no memory")

    calls = []
    stream = SimpleNamespace(wait_stream=lambda _: None)
    monkeypatch.delattr(torch, "OutOfMemoryError", raising=False)  # as in torch 2.4
    monkeypatch.setattr(graphs, "_recording_stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: None)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    with pytest.raises(raised) as caught:
        Captured(function, [SimpleNamespace(device=SimpleNamespace(type="cuda"))])
    assert caught.type is raised
