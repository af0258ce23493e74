# SPDX-License-Identifier: Apache-2.0
"""The bars against transformers: `clipseg benchmark` on random weights of the published size, then met or MISSED.

Both load the same checkpoint, which transformers writes: the published size with random weights, the decoder as PyTorch
initialises it. They take turns in one process. Every call gets a new 640x480 image. Timed is all of the way from the
image to (n, 480, 640) probabilities in NumPy. Masks are compared at the median of each prompt's float32 probabilities,
where half of the pixels lie on either side and a difference shows the most.

    python benchmarks/vs_transformers.py                       # tables, then the bars
    python benchmarks/vs_transformers.py --json result.json    # and every figure
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clipseg_ros.commands.benchmark import measure
from clipseg_ros.lab.benchmarking.cases import OURS
from clipseg_ros.lab.benchmarking.plan import Plan
from clipseg_ros.lab.benchmarking.results import write_result
from clipseg_ros.lab.benchmarking.subject import PUBLISHED_SIZE, RANDOM
from clipseg_ros.lab.benchmarking.table import to_text

PEER = "transformers"
RATIOS = {4: 4.0, 8: 7.5}
"""How many times as fast as the peer with so many prompts."""

EXTRA_PROMPT = 0.04
"""Largest share of an image with one prompt that a prompt more may cost."""

DISAGREEMENT = 0.001
"""Largest share of the pixels in which float32 masks may differ."""


def judge(result: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """A sentence for each bar, and whether it is met."""
    for network in result["networks"]:
        name = network["precision"]
        for case in network["images"]:
            bar, found = RATIOS.get(case["prompts"]), case["ratios"].get(PEER)
            if bar is not None:
                text = f"{name}, {case['prompts']} prompts: {PEER} takes {found or 0:.2f} times as long, bar {bar:g}"
                yield text, found is not None and found >= bar
        extra = network["extra_prompt"]
        if extra is not None:
            text = f"{name}: a prompt more costs {100 * extra:.1f} %, bar {100 * EXTRA_PROMPT:g} %"
            yield text, extra <= EXTRA_PROMPT
        if name == "float32":
            share = network["disagreement"].get(OURS, 1.0)
            yield f"{name}: masks differ in {100 * share:.4f} %, bar {100 * DISAGREEMENT:g} %", share <= DISAGREEMENT


def main() -> int:
    """Measure and judge; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default=PUBLISHED_SIZE, choices=sorted(RANDOM))
    parser.add_argument("--prompts", type=int, nargs="+", default=[1, 4, 8], metavar="N")
    parser.add_argument("--precision", nargs="+", default=["float32"], choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, help="PyTorch's threads (default: its own choice)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    try:
        result = measure(Plan(
            weights=options.weights, prompts=tuple(options.prompts), precisions=tuple(options.precision),
            device=options.device, repeats=options.repeats, threads=options.threads, peers=(PEER,)))
    except (ValueError, ImportError) as error:
        parser.error(str(error))
    print(to_text(result))
    if options.json:
        write_result(result, options.json)
    print()
    verdicts = list(judge(result))
    for sentence, met in verdicts:
        print(f"{sentence}: {'met' if met else 'MISSED'}")
    return 0 if all(met for _, met in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
