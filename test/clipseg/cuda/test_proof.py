# SPDX-License-Identifier: Apache-2.0
"""A GPU that is wrong, or fails, is not used that way: graphs go first, then half precision, then the GPU."""

import pytest
import torch
from pretended_gpu import fails, not_finite, nothing, other_prompt, short_of_memory, stale

from clipseg_ros.clipseg.cuda import OutOfMemoryError, is_gpu_error, release_memory
from clipseg_ros.clipseg.startup import load_warm

pytestmark = pytest.mark.usefixtures("one_thread")

GRAPHS, EAGER, FLOAT32, CPU = (
    ("auto", "auto", "auto"), ("auto", "auto", "off"), ("auto", "float32", "off"), ("cpu", "auto", "auto"))
PLAIN = ("cpu", "float32")


def start(gpu, fault, wrong, weights="demo", **settings):
    """The segmenter, what was tried, and what was told of it."""
    gpu.fault, gpu.wrong = staticmethod(fault), staticmethod(wrong)
    told = []
    segmenter = load_warm(weights, progress=told.append, input_size=112, **settings)
    return segmenter, [one for one in gpu.loaded if one[:2] != PLAIN], [one for one in told if "; " in one]


@pytest.mark.parametrize("weights, precision", [("demo", "auto"), ("demo", "bfloat16"), ("demo", "float32"),
                                                ("untrained", "bfloat16")])
def test_a_right_gpu_is_used_as_it_was_asked_for(pretended_gpu, weights, precision):
    segmenter, tried, told = start(pretended_gpu, stale, lambda way: False, weights, precision=precision, cameras=2)
    assert (tried, told) == ([("auto", precision, "auto")], [])
    assert segmenter.device.type == "cuda"


@pytest.mark.parametrize("weights, fault, wrong, says", [
    ("untrained", other_prompt, lambda way: way.prompts == 16, "% of the pixels (allowed: 1 %; at once: prompts 16, pictures 1)"),
    ("demo", stale, lambda way: True, "% of the pixels (allowed: 1 %; at once: prompts 1, pictures 1)"),
    ("demo", nothing, lambda way: way.prompts == 8, "% of the pixels (allowed: 1 %; at once: prompts 8, pictures 1)"),
    ("demo", other_prompt, lambda way: way.prompts == 16, "% of the pixels (allowed: 1 %; at once: prompts 16, pictures 1)"),
    ("demo", stale, lambda way: way.pictures == 2 and not way.prompts, "% of the pixels (allowed: 1 %; at once: prompts 1, pictures 2)"),
    ("demo", not_finite, lambda way: way.prompts == 4, "not finite (at once: prompts 4, pictures 1)"),
    ("demo", not_finite, lambda way: way.prompts == 1, "overflow in float16"),
    ("demo", fails, lambda way: way.pictures == 2, "the GPU failed: CUDA error: an illegal memory access"),
])
def test_graphs_that_are_wrong_are_not_used(pretended_gpu, weights, fault, wrong, says):
    segmenter, tried, told = start(pretended_gpu, fault, lambda way: way.graphs and wrong(way), weights, cameras=2)
    assert tried == [GRAPHS, EAGER]
    assert says in told[0] and told[0].endswith("; it is tried without recorded graphs")
    assert len(told) == 1 and "\n" not in told[0] and "TORCH_USE" not in told[0]
    assert (segmenter.device.type, segmenter.precision) == ("cuda", "float16")


def test_half_precision_that_is_wrong_is_not_used(pretended_gpu):
    segmenter, tried, told = start(pretended_gpu, nothing, lambda way: way.precision != "float32")
    assert tried == [GRAPHS, EAGER, FLOAT32]
    assert "cuda:0 in float16 with gpu_graphs off does not compute what the CPU does" in told[1]
    assert "% of the pixels (allowed: 1 %; at once: prompts 1, pictures 1)" in told[1]
    assert told[1].endswith("it is tried in float32 without recorded graphs")
    assert segmenter.precision == "float32"


@pytest.mark.parametrize("fault", [nothing, fails])
def test_a_gpu_that_is_wrong_in_every_way(pretended_gpu, fault):
    with pytest.raises(ValueError, match="set device or on_oom to cpu"):
        start(pretended_gpu, fault, lambda way: True, gpu_graphs="off")
    assert [one for one in pretended_gpu.loaded if one[:2] != PLAIN] == [EAGER, FLOAT32]
    segmenter, _, told = start(pretended_gpu, fault, lambda way: True, on_oom="cpu", gpu_graphs="off",
                               precision="float32")
    assert segmenter.device.type == "cpu" and len(told) == 1
    assert told[0].endswith("; the CPU runs the network instead")


def test_a_safer_way_that_lacks_memory(pretended_gpu):
    def fault(result, earlier):
        spoil = short_of_memory if pretended_gpu.precision_now == "float32" else nothing
        return spoil(result, earlier)

    segmenter, tried, told = start(pretended_gpu, fault, lambda way: True, on_oom="cpu")
    assert tried == [GRAPHS, EAGER, FLOAT32, ("cpu", "auto", "auto")]
    assert "memory does not suffice" in told[-1]


@pytest.mark.parametrize("error, is_one", [
    (RuntimeError("CUDA error: device-side assert triggered"), True),
    (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), True),
    (RuntimeError("The size of tensor a must match"), False), (ValueError("CUDA"), False),
    (OutOfMemoryError("CUDA out of memory"), False),
])
def test_errors_of_a_gpu(error, is_one):
    assert is_gpu_error(error) == is_one


@pytest.mark.skipif(not hasattr(torch, "AcceleratorError"), reason="needs torch 2.8")
def test_errors_of_a_gpu_have_a_type():
    assert is_gpu_error(torch.AcceleratorError("unspecified launch failure", 719))


def test_nothing_is_released_on_a_gpu_that_failed(monkeypatch):
    def broken():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "empty_cache", broken)
    release_memory()
