# SPDX-License-Identifier: Apache-2.0
"""`clipseg benchmark`: how fast the network is here, against this machine's limit and against other programs."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipseg_ros.lab.benchmarking.plan import Plan

HELP = "Measure this machine: its limit, the network's share of it, and the same with transformers and OpenVINO."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg benchmark`."""
    measured = parser.add_argument_group("what is measured")
    measured.add_argument("--weights", default="published-size", metavar="W",
                          help="a path, a name of `clipseg weights list`, or published-size or published-size-plain: "
                          "random weights made for the occasion (default: published-size)")
    measured.add_argument("--allow-download", action="store_true", help="fetch published weights that are not here yet")
    measured.add_argument("--size", type=_size, default=(640, 480), metavar="WxH",
                          help="of the camera's images in pixels (default: 640x480)")
    measured.add_argument("--prompts", type=int, nargs="+", default=[1, 4, 8], metavar="N",
                          help="numbers of prompts, each a row (default: 1 4 8)")
    measured.add_argument("--no-peers", action="store_true", help="leave transformers and OpenVINO out")
    measured.add_argument("--repeats", type=int, default=7, metavar="N", help="calls that count, of each (default: 7)")
    runs = parser.add_argument_group("what it runs on")
    runs.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N (default: auto)")
    runs.add_argument("--backend", nargs="+", default=["torch"], metavar="B",
                      help="torch, or on the CPU openvino or onnxruntime (default: torch)")
    runs.add_argument("--precision", nargs="+", default=["auto"], metavar="P",
                      help="auto, float32, bfloat16, float16 or int8 (default: auto, float16 on a GPU, else float32)")
    runs.add_argument("--input-size", type=int, default=0, metavar="PIXELS",
                      help="side of the network's input; smaller is faster and coarser (default: the weights' own)")
    runs.add_argument("--threads", type=int, metavar="N", help="on the CPU (default: PyTorch's own choice)")
    answer = parser.add_argument_group("what comes out")
    answer.add_argument("--json", type=Path, metavar="OUT", help="write every figure, and every time it was made of")
    answer.add_argument("--row", type=Path, metavar="JSON",
                        help="measure nothing; print what --json wrote as Markdown rows for benchmarks/README.md")


def run(args: argparse.Namespace) -> int:
    """Measure as the arguments say and print the figures, or print the rows of a result; return 0."""
    from clipseg_ros.lab.benchmarking.plan import Plan
    from clipseg_ros.lab.benchmarking.results import header, read_result, to_rows, write_result
    from clipseg_ros.lab.benchmarking.table import to_text

    if args.row is not None:
        print("\n".join([*header(), *to_rows(read_result(args.row))]))
        return 0
    if args.json is not None and args.json.is_dir():
        raise ValueError(f"--json {args.json} is a folder; name a file")
    plan = Plan(
        weights=args.weights, size=args.size, prompts=tuple(args.prompts), backends=tuple(args.backend),
        precisions=tuple(args.precision), device=args.device, input_size=args.input_size, threads=args.threads,
        repeats=args.repeats, allow_download=args.allow_download, **({"peers": ()} if args.no_peers else {}),
    )
    result = measure(plan)
    print(to_text(result))
    if args.json is not None:
        write_result(result, args.json)
    return 0


def measure(plan: Plan) -> dict[str, Any]:
    """What `run_suite` returns, with a progress bar on the error output if that is a terminal."""
    from tqdm import tqdm

    from clipseg_ros.lab.benchmarking.suite import run_suite

    # disable=None: no bar where the output is not a terminal
    with closing(tqdm(total=1, file=sys.stderr, bar_format="{percentage:3.0f}%|{bar}| {elapsed}  {desc}",
                      disable=None)) as bar:

        def progress(done: int, total: int, what: str) -> None:
            bar.total = total
            bar.update(done - bar.n)
            bar.set_description_str(what)

        return run_suite(plan, progress=progress)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give WxH such as 640x480")
    return int(width), int(height)
