# SPDX-License-Identifier: Apache-2.0
"""What a second camera costs: the network's time for one frame, and for the frames of two cameras as one batch.

Timed is Segmenter.segment on a CPU, all of the way from new 640x480 frames to (n, 480, 640) probabilities in NumPy, in
turns in one process. "published-size" is the published architecture with random weights.

    python benchmarks/two_cameras.py
    python benchmarks/two_cameras.py --weights demo --precision float32 --repeats 31
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.lab.benchmarking.inputs import new_images, phrases
from clipseg_ros.lab.benchmarking.measure import Contender, take_turns
from clipseg_ros.lab.benchmarking.subject import PUBLISHED_SIZE, open_subject

PROMPTS = phrases(4)
CAMERAS = ("front", "left")
SIZE = (640, 480)
BAR = 1.1


def load(weights: str, precision: str) -> Segmenter:
    """The segmenter for a name or a path."""
    with open_subject(weights, for_peers=False) as subject:
        return Segmenter(subject.model, device="cpu", precision=precision, trained=not subject.random)


def contender(segmenter: Segmenter, cameras: tuple[str, ...]) -> Contender:
    """A call for a new image of each camera; one camera's is no list."""
    images = new_images(SIZE, seed=len(cameras))

    def segment(given: list[np.ndarray]) -> None:
        image, camera = (given[0], cameras[0]) if len(cameras) == 1 else (given, cameras)
        segmenter.segment(image, PROMPTS, camera=camera)

    return Contender(f"{len(cameras)}", lambda: [next(images) for _ in cameras], segment)


def measure(weights: str, precision: str, repeats: int) -> float:
    """Print the row of one network; return the ratio of two cameras' median to twice one camera's."""
    segmenter = load(weights, precision)
    samples = take_turns([contender(segmenter, cameras) for cameras in (CAMERAS[:1], CAMERAS)], repeats=repeats)
    one, two = (1000 * sample.median for sample in samples.values())
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
