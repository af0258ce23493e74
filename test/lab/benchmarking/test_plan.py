# SPDX-License-Identifier: Apache-2.0
"""A plan is refused before it costs time."""

import sys

import pytest
import torch

from clipseg_ros.clipseg.setting import Setting
from clipseg_ros.lab.benchmarking.plan import Plan

CPU = torch.device("cpu")


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"size": (640, 0)}, "size is"),
    ({"size": (640, 10000)}, "size is"),
    ({"prompts": ()}, "prompts is"),
    ({"prompts": (4, 0)}, "prompts is"),
    ({"repeats": 0}, "repeats is 0; it must be at least 1"),
    ({"threads": 0}, "threads is 0; it must be at least 1"),
    ({"peers": ("detectron",)}, "'detectron' is no known peer; known are transformers, openvino"),
])
def test_numbers_that_make_no_sense(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Plan(**changes)


def test_every_backend_in_every_precision_once():
    plan = Plan(precisions=("auto", "float32", "bfloat16"), device="cpu", prompts=(8, 1, 8))
    assert plan.settings() == [Setting("torch", CPU, "float32"), Setting("torch", CPU, "bfloat16")]
    assert plan.counts == [1, 8]


@pytest.mark.parametrize(("changes", "error", "sentence"), [
    ({"precisions": ("int8",)}, ValueError, "precision is 'int8'"),
    ({"backends": ("tensorrt",)}, ValueError, "backend is 'tensorrt'"),
    ({"device": "tpu"}, ValueError, "device is 'tpu'"),
    ({"backends": ("torch", "openvino")}, ImportError, "pip install openvino"),
])
def test_what_cannot_be_measured_here(monkeypatch, changes, error, sentence):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(error, match=sentence):
        Plan(**changes).settings()
