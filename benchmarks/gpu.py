# SPDX-License-Identifier: Apache-2.0
"""A frame on the GPU, from its upload to its downloaded masks, against the bars; and whether half precision is right.

Timed is Segmenter.maps in bytes, with CUDA events, on new images of the camera's size; medians. transformers, in the same
precision, takes turns in the same process. Without a GPU everything runs on the CPU, which says nothing about a GPU, so
the bars are not judged.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --check 0                          # times alone
    python benchmarks/gpu.py --device cpu --weights demo --repeats 5 --check 40
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.device import pick_device
from clipseg_ros.lab.benchmarking.half_precision import check_half_precision
from clipseg_ros.lab.benchmarking.inputs import new_images, phrases
from clipseg_ros.lab.benchmarking.machine import describe_machine
from clipseg_ros.lab.benchmarking.measure import Clock, Contender, ratio, take_turns
from clipseg_ros.lab.benchmarking.peers import open_peers
from clipseg_ros.lab.benchmarking.subject import PUBLISHED_SIZE, Subject, open_subject

SIZE = (640, 480)
CAMERAS = ("front", "left", "right", "back")
MANY = 8

FRAME_MS, EXTRA_PROMPT, PEER_RATIO, CAMERAS_MS, DISAGREEMENT = 1.0, 0.02, 20.0, 2.5, 0.01


class Bar(NamedTuple):
    """A sentence with a figure, and whether the figure is as good as it should be."""

    sentence: str
    met: bool


def event_clock(device: torch.device) -> Clock:
    """Seconds by CUDA events, read when all work up to there is done; the processor's clock on a CPU."""
    if device.type != "cuda":
        return time.perf_counter
    first = torch.cuda.Event(enable_timing=True)
    first.record(torch.cuda.current_stream(device))

    def read() -> float:
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(device))
        event.synchronize()
        return first.elapsed_time(event) / 1000

    return read


def contenders(segmenter: Segmenter) -> list[Contender]:
    """One frame with one prompt, with one and the next frame staged, with many, and the frames of four cameras."""
    images = new_images(SIZE)

    def segment(prompts: int, cameras: Sequence[str] = CAMERAS[:1]) -> Callable[[list[np.ndarray]], object]:
        texts, thresholds = phrases(prompts), [0.5] * prompts
        return lambda given: segmenter.maps(given, texts, thresholds, camera=list(cameras), exact=False)

    def staged() -> list[np.ndarray]:
        given = [next(images)]
        segmenter.stage(given)
        return given

    return [
        Contender("one prompt", lambda: [next(images)], segment(1)),
        Contender("one prompt, staged", staged, segment(1)),
        Contender(f"{MANY} prompts", lambda: [next(images)], segment(MANY)),
        Contender("four cameras", lambda: [next(images) for _ in CAMERAS], segment(1, CAMERAS)),
    ]


def measure(subject: Subject, device: torch.device, repeats: int) -> list[Bar]:
    """Print the times and return what they say of the bars."""
    segmenter = Segmenter(subject.model, device=device, trained=not subject.random)
    segmenter.warm_up(len(CAMERAS))
    print(f"{segmenter.precision}; warmed up, PyTorch holds {segmenter.gpu_memory / 2**20:.0f} MiB of the GPU's memory")
    clock, own = event_clock(device), contenders(segmenter)
    given, start = own[0].prepare(), clock()
    own[0].call(given)
    print(f"first frame            {1000 * (clock() - start):9.2f} ms")
    peers, left_out = open_peers(subject.folder, subject.model.config, precision=segmenter.precision, device=device,
                                 names=["transformers"])
    images = new_images(SIZE, seed=1)
    others = [Contender(peer.name, lambda: next(images), lambda image, peer=peer: peer.segment(image, phrases(MANY)))
              for peer in peers]
    with tqdm(total=repeats + 1, desc="rounds", disable=None, leave=False) as bar:
        samples = take_turns([*own, *others], repeats=repeats, clock=clock, on_round=bar.update)
    for name, sample in samples.items():
        label = f"{name}, {MANY} prompts" if name == "transformers" else name
        print(f"{label:<23}{1000 * sample.median:9.2f} ms")
    print(*left_out, sep="\n", end="\n" if left_out else "")
    one, many, four = (samples[name].median for name in ("one prompt", f"{MANY} prompts", "four cameras"))
    extra = (many - one) / (MANY - 1) / one
    bars = [Bar(f"one frame, one prompt: {1000 * one:.2f} ms, bar {FRAME_MS}", 1000 * one <= FRAME_MS),
            Bar(f"an extra prompt: {100 * extra:.2f} %, bar {100 * EXTRA_PROMPT:g} %", extra <= EXTRA_PROMPT),
            Bar(f"four cameras at once: {1000 * four:.2f} ms, bar {CAMERAS_MS}", 1000 * four <= CAMERAS_MS)]
    for peer in peers:
        faster = ratio(samples[f"{MANY} prompts"], samples[peer.name])
        bars.append(Bar(f"{MANY} prompts: {peer.name} takes {faster:.1f} times as long, bar {PEER_RATIO:g}",
                        faster >= PEER_RATIO))
    return bars


def check(subject: Subject, device: torch.device, images: int, compared: int, side: int) -> list[Bar]:
    """Compare each half precision with float32."""
    bars = []
    for precision in (torch.float16, torch.bfloat16):
        name = str(precision).removeprefix("torch.")
        with tqdm(total=images, desc=name, disable=None, leave=False) as bar:
            found = check_half_precision(
                subject.model, precision, device, images=images, compared=compared, side=side, random=subject.random,
                on_batch=lambda done: bar.update(done - bar.n))
        bars.append(Bar(f"{name}: {found.not_finite} of {images} random images with random prompts gave no number, "
                        "bar 0", found.not_finite == 0))
        bars.append(Bar(f"{name}: masks differ from float32's in {100 * found.disagreement:.4f} % of the pixels "
                        f"({found.compared} images), bar {100 * DISAGREEMENT:g} %", found.disagreement <= DISAGREEMENT))
    return bars


def main() -> int:
    """Measure, check and judge; return 1 if a bar is missed on a GPU, or half precision is wrong anywhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default=PUBLISHED_SIZE, help=f"{PUBLISHED_SIZE}, or what Segmenter.load takes")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=101, help="0: no times")
    parser.add_argument("--check", type=int, default=10_000, metavar="N", help="random images for half precision")
    parser.add_argument("--compared", type=int, default=200, metavar="N", help="of these, with float32")
    parser.add_argument("--input-size", type=int, default=0, metavar="PIXELS",
                        help="for the check; 0: the weights' own")
    options = parser.parse_args()
    try:
        device = pick_device(options.device)
        machine = describe_machine(device)
        with open_subject(options.weights, for_peers=True) as subject:
            print(f"{options.weights} on {machine.gpu or machine.processor}, torch {torch.__version__}, "
                  f"images of {SIZE[0]}x{SIZE[1]}, medians of {options.repeats}")
            times = measure(subject, device, options.repeats) if options.repeats else []
            side = options.input_size or subject.model.config.image_size
            checks = check(subject, device, options.check, options.compared, side) if options.check else []
    except (ValueError, ImportError) as error:
        parser.error(str(error))
    judged = [*(times if machine.gpu else []), *checks]
    for bar in judged:
        print(f"{bar.sentence}: {'met' if bar.met else 'MISSED'}")
    if not machine.gpu:
        print("this ran on a CPU: the times say nothing about a GPU, and their bars were not judged")
    return 0 if all(bar.met for bar in judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())
