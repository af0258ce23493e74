# SPDX-License-Identifier: Apache-2.0
"""What a second camera costs: the network's time for one frame, and for the frames of two cameras as one batch.

Timed is Segmenter.segment on a CPU, all of the way from new 640x480 frames to (n, 480, 640) probabilities in NumPy, in
turns in one process. "published-size" is the published architecture with random weights.

    python benchmarks/two_cameras.py
    python benchmarks/two_cameras.py --weights demo --precision float32 --repeats 31
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

import numpy as np
import torch

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.model import VIT_B_16, CLIPSeg

PROMPTS = ("red mug", "book", "the lamp", "shoes")
CAMERAS = ("front", "left")
SIZE = (480, 640)
PUBLISHED_SIZE = "published-size"
BAR = 1.1


def load(weights: str, precision: str) -> Segmenter:
    """The segmenter for a name or a path."""
    if weights != PUBLISHED_SIZE:
        return Segmenter.load(weights, device="cpu", precision=precision)
    torch.manual_seed(0)
    return Segmenter(CLIPSeg(replace(VIT_B_16, refined=True)), device="cpu", precision=precision, trained=False)


def seconds(segmenter: Segmenter, cameras: tuple[str, ...], rng: np.random.Generator) -> float:
    """How long one call for a new frame of each camera takes; one camera's is no list."""
    frames = [rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8) for _ in cameras]
    image, camera = (frames[0], cameras[0]) if len(cameras) == 1 else (frames, cameras)
    start = time.perf_counter()
    segmenter.segment(image, PROMPTS, camera=camera)
    return time.perf_counter() - start


def measure(weights: str, precision: str, repeats: int) -> float:
    """Print the row of one network; return the ratio of two cameras' median to twice one camera's."""
    segmenter, rng = load(weights, precision), np.random.default_rng(0)
    calls = (CAMERAS[:1], CAMERAS)
    for cameras in calls:
        seconds(segmenter, cameras, rng)
    times = [[seconds(segmenter, cameras, rng) for cameras in calls] for _ in range(repeats)]
    one, two = (1000 * statistics.median(column) for column in zip(*times))
    ratio = two / (2 * one)
    print(f"{weights:<16}{precision:<10}{one:>14.1f}{two:>16.1f}{ratio:>22.3f}", flush=True)
    return ratio


def main() -> int:
    """Measure what was asked for; return 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--precision", nargs="+", default=["float32"], choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--weights", nargs="+", default=[PUBLISHED_SIZE, "demo"],
                        help=f"{PUBLISHED_SIZE}, or what Segmenter.load takes")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error(f"--repeats is {options.repeats}; it must be at least 1")
    print(f"cpu, {torch.get_num_threads()} threads, torch {torch.__version__}, {len(PROMPTS)} prompts; "
          f"medians of {options.repeats}")
    print(f"{'weights':<16}{'precision':<10}{'one camera ms':>14}{'two cameras ms':>16}{'ratio to twice one':>22}",
          flush=True)
    worst = max(measure(weights, precision, options.repeats)
                for weights in options.weights for precision in options.precision)
    print("one call returns both cameras' results, so they are there at the same moment: both have the same latency")
    passed = worst <= BAR
    print(f"bar: {BAR} of twice one camera's time, {'met' if passed else 'MISSED'}")
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
