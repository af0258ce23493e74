# SPDX-License-Identifier: Apache-2.0
"""The whole measurement on a small network: what is in the result, not how fast it was."""

import json

import pytest
import torch

from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint
from clipseg_ros.lab.benchmarking import limit
from clipseg_ros.lab.benchmarking.arithmetic import count_arithmetic
from clipseg_ros.lab.benchmarking.cases import NEW_PROMPTS, OURS, REUSING
from clipseg_ros.lab.benchmarking.plan import Plan
from clipseg_ros.lab.benchmarking.suite import FORMAT, RESIZED_AND_RANDOM, run_suite


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(limit, "SHORTEST", 1e-4)


def plan_of(folder, **changes):
    return Plan(**{"weights": str(folder), "size": (50, 40), "prompts": (3, 1), "device": "cpu", "threads": 1,
                   "repeats": 2, "peers": ("transformers",), **changes})


def test_everything_is_in_the_result(folder):
    told, threads = [], torch.get_num_threads()
    plan = plan_of(folder, precisions=("float32", "bfloat16"))
    result = run_suite(plan, progress=lambda *step: told.append(step))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["format"] == FORMAT
    assert result["machine"]["threads"] == 1 and torch.get_num_threads() == threads
    assert result["settings"] == {"weights": folder.name, "random": False, "image": [50, 40], "input_size": [32, 32],
                                  "repeats": 2}
    assert set(result["limits"]["cpu"]) == {"float32", "bfloat16"}
    assert result["reference"] == "transformers in float32" and result["left_out"] == []
    assert [network["precision"] for network in result["networks"]] == ["float32", "bfloat16"]

    arithmetic = count_arithmetic(load_checkpoint(folder).model.config, 32)
    assert result["arithmetic"]["encoder"] == arithmetic.encoder
    for network in result["networks"]:
        assert (network["backend"], network["device"]) == ("torch", "cpu")
        assert [case["prompts"] for case in network["images"]] == [1, 3]
        for case in network["images"]:
            assert case["flop"] == arithmetic.image(case["prompts"])
            assert set(case["ms"]) == {OURS, NEW_PROMPTS, "transformers"}
            assert all(len(times["all"]) == 2 for times in case["ms"].values())
            assert case["share_of_limit"] * result["limits"]["cpu"][network["precision"]] == pytest.approx(
                1e9 * case["gflops"])
        assert set(network["new_prompt"]["ms"]) == {OURS, "transformers"}
        assert set(network["unchanged"]["ms"]) == {OURS, REUSING}
        assert set(network["disagreement"]) == {OURS, "transformers"}
    assert result["networks"][0]["disagreement"]["transformers"] == 0
    assert result["networks"][0]["disagreement"][OURS] < 0.001

    done, totals, sentences = zip(*told)
    assert list(done) == sorted(done) and set(done) == set(range(totals[0] + 1)) and set(totals) == {totals[0]}
    assert sentences[-1] == "done"


def test_without_peers_the_network_is_its_own_reference(folder):
    plain = run_suite(plan_of(folder, peers=(), repeats=1, prompts=(2,)))
    assert plain["reference"] is None
    [network] = plain["networks"]
    assert network["disagreement"] == {} and network["extra_prompt"] is None
    assert network["images"][0]["ratios"] == {} and set(network["new_prompt"]["ms"]) == {OURS}

    coarse = run_suite(plan_of(folder, peers=(), repeats=1, prompts=(2,), precisions=("bfloat16",)))
    assert coarse["reference"] == "this package in PyTorch and float32"
    assert 0 <= coarse["networks"][0]["disagreement"][OURS] < 0.1


def test_a_smaller_input_is_compared_with_the_whole_one(folder):
    small = run_suite(plan_of(folder, peers=(), repeats=1, prompts=(2,), input_size=16))
    assert small["settings"]["input_size"] == [16, 16]
    assert small["reference"] == "this package in PyTorch and float32"
    assert small["networks"][0]["disagreement"][OURS] > 0
    assert small["arithmetic"]["encoder"] < count_arithmetic(load_checkpoint(folder).model.config, 32).encoder / 2
    assert RESIZED_AND_RANDOM not in small["remarks"]


@pytest.mark.parametrize("input_size", [0, 32])
def test_of_random_weights_it_says_that_the_comparison_means_nothing(input_size):
    result = run_suite(plan_of("untrained", peers=(), repeats=1, prompts=(1,), input_size=input_size))
    assert result["settings"]["random"]
    assert (RESIZED_AND_RANDOM in result["remarks"]) == bool(input_size)


def test_backends_are_measured_like_pytorch(folder):
    for package in ("onnx", "onnxscript", "openvino"):
        pytest.importorskip(package)
    result = run_suite(plan_of(folder, backends=("openvino",), repeats=1, prompts=(1,), peers=("openvino",)))
    [network] = result["networks"]
    assert network["backend"] == "openvino"
    assert set(network["images"][0]["ms"]) == {OURS, NEW_PROMPTS, "openvino"}
    assert network["images"][0]["share_of_limit"] > 0
    assert network["disagreement"][OURS] < 0.001 and network["disagreement"]["openvino"] < 0.001


def test_what_cannot_be_measured_is_refused_before_anything_is_loaded():
    with pytest.raises(ValueError, match="precision is 'int8'"):
        run_suite(Plan(weights="nowhere", precisions=("int8",)))


def test_peers_that_cannot_read_the_weights_are_left_out(tmp_path):
    pytest.importorskip("transformers")
    result = run_suite(plan_of("untrained", repeats=1, prompts=(1,), size=(32, 32)))
    assert [sentence.partition(":")[0] for sentence in result["left_out"]] == ["transformers is left out"]
    assert result["settings"]["random"] and result["networks"][0]["images"][0]["ratios"] == {}
