# SPDX-License-Identifier: Apache-2.0
"""Peers compute what this package computes, and say why they cannot."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from clipseg_ros.clipseg.model import SMALL
from clipseg_ros.clipseg.segmenter import Segmenter
from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint
from clipseg_ros.lab.benchmarking import peers as peers_module
from clipseg_ros.lab.benchmarking.inputs import new_images
from clipseg_ros.lab.benchmarking.peers import PEERS, open_peers

CPU = torch.device("cpu")
PROMPTS = ["red mug", "something to sit on", "a plate on the table's edge"]


@pytest.mark.parametrize("name", list(PEERS))
def test_the_same_probabilities(folder, name):
    if name == "openvino":
        pytest.importorskip("openvino")
    model = load_checkpoint(folder).model
    ours = Segmenter(model, device="cpu", precision="float32")
    [peer], left_out = open_peers(folder, model.config, precision="float32", device=CPU, names=[name])
    assert (peer.name, left_out) == (name, [])
    image = next(new_images((90, 60)))
    for count in (3, 1, 2):
        expected = ours.segment(image, PROMPTS[:count])
        found = peer.segment(image, PROMPTS[:count])
        assert found.shape == (count, 60, 90) and found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(ours.segment(image, PROMPTS), axis=0).max() > 0.01, "the prompts must matter"


def test_weights_in_a_layout_of_our_own():
    pytest.importorskip("transformers")
    peers, left_out = open_peers(None, SMALL, precision="float32", device=CPU)
    assert peers == []
    assert left_out == [f"{name} is left out: it reads folders in the Hugging Face layout alone, and these weights are "
                        "none" for name in PEERS]


@pytest.mark.parametrize("weights", [True, False])
def test_without_transformers(monkeypatch, tmp_path, weights):
    monkeypatch.setitem(sys.modules, "transformers", None)
    peers, left_out = open_peers(tmp_path if weights else None, SMALL, precision="float32", device=CPU,
                                 names=["transformers"])
    assert (peers, left_out) == ([], ["transformers is left out: transformers is not installed: "
                                      "pip install transformers"])


def test_without_openvino(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "openvino", None)
    peers, left_out = open_peers(tmp_path, SMALL, precision="float32", device=CPU, names=["openvino"])
    assert (peers, left_out) == ([], ["openvino is left out: openvino is not installed: pip install openvino"])


def test_a_folder_without_a_checkpoint(tmp_path):
    pytest.importorskip("transformers")
    peers, [sentence] = open_peers(tmp_path, SMALL, precision="float32", device=CPU, names=["transformers"])
    assert peers == [] and sentence.startswith(f"transformers is left out: transformers cannot load {tmp_path}: ")
    assert "\n" not in sentence


def test_openvino_stays_on_the_cpu(tmp_path):
    _, [sentence] = open_peers(tmp_path, SMALL, precision="float16", device=torch.device("cuda"), names=["openvino"])
    assert sentence == "openvino is left out: OpenVINO runs on the CPU, and this is measured on cuda"


@pytest.mark.parametrize(("precision", "device", "theirs"), [
    ("float32", "cpu", "float32"), ("bfloat16", "cpu", "bfloat16"), ("float16", "cpu", "float32"),
    ("float16", "cuda", "float16")])
def test_peers_compute_in_what_is_fast_for_them(monkeypatch, precision, device, theirs):
    asked = []
    monkeypatch.setattr(peers_module, "PEERS", {"new": lambda *_, precision, **__: asked.append(precision)})
    open_peers(peers_module.Path("."), SMALL, precision=precision, device=torch.device(device), names=["new"])
    assert asked == [theirs]


@pytest.mark.parametrize(("sets", "theirs"), [
    (("AVX2", "AVX-512"), "float32"), (("AVX-512", "AVX-512 BF16"), "bfloat16"), (("AMX BF16",), "bfloat16"),
    (("NEON", "BF16"), "bfloat16")])
def test_beside_int8_peers_take_the_fastest_that_they_have(monkeypatch, sets, theirs):
    monkeypatch.setattr(peers_module, "describe_machine", lambda device: SimpleNamespace(instruction_sets=sets))
    assert peers_module.precision_of_peers("int8", torch.device("cpu")) == theirs
