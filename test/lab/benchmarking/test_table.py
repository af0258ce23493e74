# SPDX-License-Identifier: Apache-2.0
"""A result as people see it."""

import re

import example_result
import pytest

from clipseg_ros.lab.benchmarking.table import to_text


def rows(text):
    """Cells of the lines, by the first cell."""
    cells = [re.split(r" {2,}", line.strip()) for line in text.splitlines()]
    return {first: others for first, *others in cells}


def test_the_head_names_the_machine_and_its_limit():
    found = rows(to_text(example_result.make()))
    assert found["processor"] == ["Example 9000, 4 cores, 1 thread used, AVX2, AVX-512, 16 GiB"]
    assert found["GPU"] == ["not used"]
    assert found["versions"] == ["Python 3.12.1, torch 2.9.0"]
    assert found["weights"] == ["published-size (random), 352x352 pixels in"]
    assert found["arithmetic"] == ["76.5 GFLOP to encode an image, 0.143 to reduce it, 1.07 a prompt"]
    assert found["limit"] == ["cpu: 250 GFLOP/s float32, 1250 GFLOP/s bfloat16 (the encoder's matrix products)"]


def test_a_row_for_each_case():
    text = to_text(example_result.make())
    found = rows(text)
    assert found["ms"] == ["quartiles", "GFLOP/s", "of limit", "prompts new, ms", "transformers, ms", "ratio"]
    assert found["1 prompt"] == ["500.0", "500.0-500.0", "150", "60 %", "550.0", "1000.0", "2.00"]
    assert found["5 prompts"] == ["625.0", "625.0-625.0", "128", "51 %", "700.0", "5000.0", "8.00"]
    assert found["new prompt, image seen"] == ["25.0", "25.0-25.0", "-", "-", "-", "1100.0", "44.00"]
    assert "one prompt more costs 6.2 % of an image with 1 prompt" in text
    assert "masks differ from those of transformers in float32: clipseg_ros 0.0007, transformers 0.0000" in text


def test_what_was_left_out_comes_last():
    result = example_result.make()
    assert to_text(result).endswith("\n\n" + result["left_out"][0])
    result["remarks"] = ["a remark"]
    assert to_text(result).splitlines()[-2:] == ["a remark", result["left_out"][0]]


@pytest.mark.parametrize("change", ["gpu", "reference", "extra_prompt", "memory_gib"])
def test_what_is_not_known_is_not_made_up(change):
    result = example_result.make()
    network = result["networks"][0]
    if change == "gpu":
        result["machine"]["gpu"] = "Example GPU, 8 GiB"
        assert rows(to_text(result))["GPU"] == ["Example GPU, 8 GiB"]
    elif change == "memory_gib":
        result["machine"]["memory_gib"] = None
        assert "GiB" not in to_text(result)
    elif change == "reference":
        result["reference"], network["disagreement"] = None, {}
        assert "masks differ" not in to_text(result)
    else:
        network["extra_prompt"] = None
        assert "one prompt more" not in to_text(result)


def test_peers_in_another_precision_are_marked():
    result = example_result.make()
    assert "torch, float32, on cpu\n" in to_text(result)
    result["networks"][0].update(precision="int8", peers_precision="bfloat16")
    assert "torch, int8, on cpu (transformers in bfloat16)\n" in to_text(result)
