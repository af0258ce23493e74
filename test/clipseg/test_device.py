# SPDX-License-Identifier: Apache-2.0
"""Names of devices and precisions, and what is said about those that are not there."""

import pytest
import torch

from clipseg_ros.clipseg.device import pick_device, pick_precision
from clipseg_ros.clipseg.setting import settle

CPU = torch.device("cpu")


@pytest.fixture
def gpus(monkeypatch):
    def pretend(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


@pytest.mark.parametrize(
    "count, name, expected",
    [(0, "auto", "cpu"), (1, "auto", "cuda:0"), (0, "CPU", "cpu"), (2, "cpu", "cpu"), (2, "cuda", "cuda:0"),
     (2, "cuda:1", "cuda:1"), (2, torch.device("cuda:1"), "cuda:1")],
)
def test_pick_device(gpus, count, name, expected):
    gpus(count)
    assert pick_device(name) == torch.device(expected)


@pytest.mark.parametrize(
    "count, name, sentence",
    [(0, "cuda", "'cuda', but PyTorch finds no CUDA device"), (1, "cuda:1", "only 1 CUDA device here"),
     (2, "cuda:7", "only 2 CUDA devices here"), (1, "gpu", "must be one of auto, cpu"), (1, "cuda:", "must be one of"),
     (1, "cuda:-1", "must be one of"), (1, "cuda:x", "must be one of"), (1, "", "must be one of")],
)
def test_refuses_device(gpus, count, name, sentence):
    gpus(count)
    with pytest.raises(ValueError, match=sentence):
        pick_device(name)


@pytest.mark.parametrize(
    "name, device, capability, expected",
    [("auto", "cpu", None, torch.float32), ("auto", "cuda", (9, 0), torch.float16),
     ("auto", "cuda", (7, 0), torch.float16), ("auto", "cuda", (6, 1), torch.float32), ("float16", "cuda", (6, 1), torch.float16),
     ("bfloat16", "cpu", None, torch.bfloat16), (torch.float16, "cpu", None, torch.float16)],
)
def test_pick_precision(monkeypatch, name, device, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert pick_precision(name, torch.device(device)) == expected


@pytest.mark.parametrize("name", ["int8", "half", "float64", torch.int8, ""])
def test_refuses_precision(name):
    with pytest.raises(ValueError, match="must be one of auto, float32, bfloat16, float16"):
        pick_precision(name, CPU)


@pytest.mark.parametrize(
    "given, device, precision",
    [(("torch", "auto", "auto"), "cuda:0", "float16"), (("torch", "cpu", torch.bfloat16), "cpu", "bfloat16"),
     (("openvino", "auto", "auto"), "cpu", "float32"), (("openvino", CPU, torch.float16), "cpu", "float16"),
     (("onnxruntime", " CPU ", "int8"), "cpu", "int8"), (("openvino", "cpu", "int8"), "cpu", "int8")],
)
def test_settle(gpus, monkeypatch, given, device, precision):
    gpus(1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 7))
    assert settle(*given, "off") == (given[0], torch.device(device), precision, "off")


@pytest.mark.parametrize(
    "given, sentence",
    [(("tensorrt", "cpu", "auto"), "backend is 'tensorrt'; it must be one of torch, openvino, onnxruntime"),
     (("openvino", "cuda", "auto"), "device is 'cuda', but the backend openvino runs on the CPU"),
     (("onnxruntime", "tpu", "auto"), "device is 'tpu'"), (("torch", "tpu", "auto"), "must be one of auto, cpu"),
     (("torch", "cpu", "int8"), "must be one of auto, float32, bfloat16, float16$"),
     (("onnxruntime", "cpu", "bfloat16"), r"one of auto, float32, int8 \(backends that know it: torch, openvino\)"),
     (("onnxruntime", "cpu", "int4"), "precision is 'int4'.*one of auto, float32, int8$")],
)
def test_settle_refuses(gpus, given, sentence):
    gpus(1)
    with pytest.raises(ValueError, match=sentence):
        settle(*given)
