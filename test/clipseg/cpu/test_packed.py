# SPDX-License-Identifier: Apache-2.0
"""Packed layers compute what the plain ones do, and leave the network that they were made from alone."""

import copy
from dataclasses import replace

import pytest
import torch
from networks import ALL_PARTS

from clipseg_ros.clipseg.cpu import packed
from clipseg_ros.clipseg.model import SMALL, CLIPSeg

needs_onednn = pytest.mark.skipif(not packed.is_available(), reason="this PyTorch or processor has no packed layers")
needs_bfloat16 = pytest.mark.skipif(not packed.is_available(torch.bfloat16),
                                    reason="this processor has no packed bfloat16 layers")


def network(**changes):
    torch.manual_seed(0)
    return CLIPSeg(replace(SMALL, **changes)).eval()


@needs_onednn
@pytest.mark.parametrize("changes", [{}, {"refined": True}, ALL_PARTS, {"clip": SMALL.clip | {"quick_gelu": False}}])
@pytest.mark.parametrize("images, prompts", [(1, 1), (1, 5), (2, 3)])
@torch.inference_mode()
def test_equals_the_plain_network(changes, images, prompts):
    plain = network(**changes)
    before = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    fast = packed.pack(plain)
    pixels = torch.randn(images, 3, 64, 96)
    tokens = torch.tensor([[49406, 320 + i, 49407, 0, 0] for i in range(prompts)])
    for name in ("encode_text", "encode_visual_prompt"):
        given = tokens if name == "encode_text" else pixels
        torch.testing.assert_close(getattr(fast, name)(given), getattr(plain, name)(given), rtol=1e-4, atol=1e-5)
    embeddings = 3 * torch.randn(prompts, 64)
    expected = plain.decode(plain.encode_image(pixels), embeddings)
    logits = fast.decode(fast.encode_image(pixels), embeddings)
    assert logits.shape == (images, prompts, 64, 96)
    assert (logits - expected).abs().max() <= 1e-4 * expected.std()
    assert plain.state_dict().keys() == before.keys()
    assert all(tensor.equal(before[name]) for name, tensor in plain.state_dict().items())


@needs_bfloat16
@pytest.mark.parametrize("amx", [False, True])
@torch.inference_mode()
def test_bfloat16_is_as_exact_as_the_plain_network(monkeypatch, amx):
    monkeypatch.setattr(packed, "_has_amx", lambda precision: amx)
    exact = network()
    pixels, embeddings = torch.randn(2, 3, 64, 96), 3 * torch.randn(5, 64)
    expected = exact.decode(exact.encode_image(pixels), embeddings)
    errors = []
    for rounded in (copy.deepcopy(exact).bfloat16(), packed.pack(exact, torch.bfloat16)):
        logits = rounded.decode(rounded.encode_image(pixels.bfloat16()), embeddings.bfloat16())
        assert logits.dtype == torch.bfloat16
        errors.append(float((logits - expected).square().mean().sqrt()))
    assert 0 < errors[1] <= 1.5 * errors[0]
    assert all(tensor.dtype == torch.float32 for tensor in exact.state_dict().values())


@needs_bfloat16
@pytest.mark.parametrize("amx, width, is_packed", [(False, 768, True), (True, 768, False), (True, 512, True),
                                                   (True, 1024, True)])
@torch.inference_mode()
def test_widths_that_amx_would_leave_to_one_thread_are_not_packed(monkeypatch, amx, width, is_packed):
    monkeypatch.setattr(packed, "_has_amx", lambda precision: amx)
    torch.manual_seed(0)
    weight, bias, rows = (torch.randn(shape).bfloat16() for shape in ((width, 96), (width,), (2, 7, 96)))
    layer = packed.PackedLinear(weight, bias, activation="swish")
    assert any(tensor.is_mkldnn for tensor in layer.buffers()) == is_packed
    expected = torch.nn.functional.silu(torch.nn.functional.linear(rows.float(), weight.float(), bias.float()))
    torch.testing.assert_close(layer(rows).float(), expected, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("amx", [False, True])
def test_amx_is_for_bfloat16_where_pytorch_says_so(monkeypatch, amx):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": amx}, raising=False)
    has_amx = packed._has_amx.__wrapped__
    assert has_amx(torch.bfloat16) is amx and has_amx(torch.float32) is False
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # as in older versions
    assert has_amx(torch.bfloat16) is False


@pytest.mark.parametrize("machine, there", [("aarch64", True), ("x86_64", False)])
def test_is_not_used_where_it_is_not_there(monkeypatch, machine, there):
    monkeypatch.setattr(packed.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: there)
    assert not packed.is_available()


def test_is_not_used_where_the_operator_is_gone(monkeypatch):
    def gone(*_, **__):
        raise AttributeError("no such operator")

    monkeypatch.setattr(packed, "PackedLinear", gone)
    assert not packed.is_available()
