# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from clipseg_ros.lab.training.precision import training_precision


@pytest.mark.parametrize("capability, expected", [
    ("DEFAULT", torch.float32), ("AVX2", torch.float32), ("AVX512", torch.bfloat16), ("AVX512_BF16", torch.bfloat16)])
def test_auto_takes_bfloat16_where_the_processor_is_made_for_it(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert training_precision("auto", torch.device("cpu")) == expected


@pytest.mark.parametrize("capability, expected", [((9, 0), torch.bfloat16), ((7, 5), torch.float32)])
def test_auto_on_a_gpu(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert training_precision("auto", torch.device("cuda", 0)) == expected


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_a_name_is_taken_as_it_is(name):
    assert training_precision(name, torch.device("cpu")) == getattr(torch, name)
