# SPDX-License-Identifier: Apache-2.0
"""The bars of benchmarks/vs_transformers.py."""

import importlib.util
from pathlib import Path

import example_result
import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "vs_transformers.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("vs_transformers", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def result_of(*, ratios=(4.0, 7.5), extra=0.04, disagreement=0.001, precision="float32"):
    result = example_result.make()
    network = result["networks"][0]
    case = network["images"][0]
    network.update(
        precision=precision, extra_prompt=extra, disagreement={"clipseg_ros": disagreement},
        images=[{**case, "prompts": prompts, "ratios": {"transformers": ratio}}
                for prompts, ratio in zip((1, 4, 8), (0.1, *ratios))])
    return result


@pytest.mark.parametrize(("changes", "met"), [
    ({}, [True, True, True, True]),
    ({"ratios": (3.99, 7.5)}, [False, True, True, True]),
    ({"ratios": (4.0, 7.49)}, [True, False, True, True]),
    ({"extra": 0.041}, [True, True, False, True]),
    ({"disagreement": 0.0011}, [True, True, True, False]),
    ({"disagreement": 0.5, "precision": "bfloat16"}, [True, True, True]),
    ({"extra": None}, [True, True, True]),
])
def test_bars(script, changes, met):
    assert [verdict for _, verdict in script.judge(result_of(**changes))] == met


def test_a_missing_peer_meets_no_bar(script):
    result = result_of()
    for case in result["networks"][0]["images"]:
        case["ratios"] = {}
    assert [verdict for _, verdict in script.judge(result)][:2] == [False, False]
