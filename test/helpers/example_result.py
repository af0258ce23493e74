# SPDX-License-Identifier: Apache-2.0
"""A result as `run_suite` returns it, made up, for tests of what is made of it."""

from clipseg_ros.lab.benchmarking.cases import NEW_PROMPTS, OURS, REUSING
from clipseg_ros.lab.benchmarking.figures import describe_case
from clipseg_ros.lab.benchmarking.measure import Sample
from clipseg_ros.lab.benchmarking.suite import FORMAT


def make() -> dict:
    """Two cases of one network: 0.5 s for 1 prompt, 0.625 s for 5, transformers 1 s and 5 s."""
    one = {OURS: Sample((0.5,)), NEW_PROMPTS: Sample((0.55,)), "transformers": Sample((1.0,))}
    five = {OURS: Sample((0.625,)), NEW_PROMPTS: Sample((0.7,)), "transformers": Sample((5.0,))}
    prompt = {OURS: Sample((0.025,)), "transformers": Sample((1.1,))}
    return {
        "format": FORMAT,
        "date": "2026-01-02",
        "machine": {"processor": "Example 9000", "cores": 4, "threads": 1, "instruction_sets": ["AVX2", "AVX-512"],
                    "memory_gib": 15.6, "system": "Linux 6.1 x86_64", "gpu": None},
        "versions": {"Python": "3.12.1", "torch": "2.9.0"},
        "settings": {"weights": "published-size", "random": True, "image": [640, 480], "input_size": [352, 352],
                     "repeats": 1},
        "limits": {"cpu": {"float32": 250e9, "bfloat16": 1.25e12}},
        "arithmetic": {"encoder": 76_452_575_232, "reductions": 143_032_320, "prompt": 1_066_693_632},
        "remarks": [],
        "left_out": ["openvino is left out: openvino is not installed: pip install openvino"],
        "reference": "transformers in float32",
        "networks": [{
            "backend": "torch", "device": "cpu", "precision": "float32", "peers_precision": "float32",
            "images": [
                {"prompts": 1, "flop": 75_000_000_000, **describe_case(one, flop=75_000_000_000, limit=250e9)},
                {"prompts": 5, "flop": 80_000_000_000, **describe_case(five, flop=80_000_000_000, limit=250e9)},
            ],
            "new_prompt": describe_case(prompt, flop=None, limit=None),
            "unchanged": describe_case({OURS: Sample((0.5,)), REUSING: Sample((0.02,))}, flop=None, limit=None),
            "extra_prompt": 0.0625,
            "disagreement": {OURS: 0.000007, "transformers": 0.0},
        }],
    }
