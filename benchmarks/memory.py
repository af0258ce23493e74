# SPDX-License-Identifier: Apache-2.0
"""What a memory costs: a kept frame, its bytes, and a prompt over a hundred of them, in encodings of a frame.

    python benchmarks/memory.py [--weights FILE] [--frames 100] [--rounds 5]

By default random weights in the published size, made here; with them nothing is found, so that "a prompt" is the
decoding alone; with `--weights demo` things are found, cut out and joined as well. Encodings and recalls take turns,
and the ratio is the median of the rounds' ratios.
"""
from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.model import VIT_B_16, CLIPSeg
from clipseg_ros.memory import Memory
from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.transforms import Transform
from clipseg_ros.recorded import pictures

SIZE = (480, 640)
CAMERA = Pinhole(500.0, 500.0, 319.5, 239.5, SIZE[::-1])
RATIO, KEPT_MS, BYTES = 3.0, 2.0, 300e3
"""Bars: of a prompt over all keyframes in encodings, of keeping a frame in milliseconds, of a keyframe in bytes."""


def frames(count: int) -> Iterator[tuple[np.ndarray, np.ndarray, Transform]]:
    """Recorded pictures with noise, a depth image each, and poses a metre apart."""
    rng, recorded = np.random.default_rng(0), pictures()
    depth = rng.uniform(0.5, 4.0, SIZE).astype(np.float32)
    for index in range(count):
        image = recorded[index % len(recorded)]
        noise = rng.integers(0, 8, image.shape, dtype=np.uint8)
        yield image // 2 + noise, depth, Transform(np.array([index, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))


def milliseconds(work: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def main() -> int:
    """Measure and print; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", help="a path or a name, instead of random weights in the published size")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    segmenter = (Segmenter.load(options.weights, device="cpu") if options.weights
                 else Segmenter(CLIPSeg(VIT_B_16).eval(), device="cpu"))
    segmenter.warm_up()
    memory, kept, looked, skipped = Memory(segmenter), [], [], []
    for stamp, (image, depth, pose) in enumerate(frames(options.frames)):
        segmenter.segment(image, "mug")
        known = {"depth": depth, "camera": CAMERA, "pose": pose, "stamp": float(stamp)}
        kept.append(milliseconds(lambda: memory.add(image, **known)))
        looked.append(milliseconds(lambda: memory.add(image, **known)))
        skipped.append(milliseconds(lambda: memory.add(image, **known)))
    encodings, recalls = [], []
    for index in range(options.rounds + 1):
        encodings.append(milliseconds(lambda: segmenter.features(np.roll(image, index + 1, axis=1), camera="other")))
        recalls.append(milliseconds(lambda: memory.recall(f"a thing number {index}")))
    ratio = float(np.median(np.array(recalls[1:]) / np.array(encodings[1:])))
    figures = (("bytes of a keyframe", memory.nbytes / len(memory), BYTES),
               ("keeping a frame that is encoded, ms", float(np.median(kept)), KEPT_MS),
               ("looking whether a known view has changed, once a second, ms", float(np.median(looked)), None),
               ("any other frame, ms", float(np.median(skipped)), None),
               ("encoding a frame, ms", float(np.median(encodings[1:])), None),
               (f"a new prompt over {len(memory)} keyframes, ms", float(np.median(recalls[1:])), None),
               ("  in encodings of a frame", ratio, RATIO))
    for name, figure, bar in figures:
        verdict = "" if bar is None else f"  bar {bar:g} {'met' if figure <= bar else 'MISSED'}"
        print(f"{name:62}{figure:12.1f}{verdict}")
    return int(any(bar is not None and figure > bar for _, figure, bar in figures))


if __name__ == "__main__":
    raise SystemExit(main())
