# SPDX-License-Identifier: Apache-2.0
"""What commands that run the network have in common: its arguments, loading it, prompts as people give them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clipseg_ros.clipseg import Prompt, Segmenter
    from clipseg_ros.clipseg.written import PromptText


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which network runs where, and from which probability on a pixel is meant."""
    parser.add_argument("--weights", default="demo", metavar="W", help="a path, or a name of `clipseg weights list` "
                        "(default: demo)")
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--precision", default="auto", metavar="P",
                        help="auto, float32, bfloat16, float16 or int8 (default: auto, float16 on a GPU, float32 on a "
                        "CPU); int8 with openvino and onnxruntime")
    parser.add_argument("--backend", default="torch", metavar="B",
                        help="torch, or on the CPU openvino or onnxruntime (default: torch)")
    parser.add_argument("--input-size", type=int, default=0, metavar="N", help="side in pixels to which pictures are "
                        "squashed, smaller is faster and coarser (default: the weights' own)")
    parser.add_argument("--threshold", type=_probability, metavar="T",
                        help="probability from which a pixel is counted and drawn (default: that of the weights)")
    parser.add_argument("--allow-download", action="store_true", help="fetch published weights that are not here yet")


def load_network(args: argparse.Namespace, prompts: Sequence[Prompt]) -> Segmenter:
    """The network; ValueError, with a sentence, where it or the prompts cannot be used."""
    from clipseg_ros.clipseg import Segmenter

    segmenter = Segmenter.load(
        args.weights, device=args.device, precision=args.precision, backend=args.backend, input_size=args.input_size,
        allow_download=args.allow_download, progress=lambda sentence: print(sentence, file=sys.stderr)
    )
    segmenter.check(prompts)
    _warn(segmenter, prompts)
    return segmenter


def given_prompts(texts: Sequence[str], instead: str) -> tuple[list[PromptText], list[Prompt]]:
    """The prompts of a command line, as written and as the network takes them.

    ValueError for one that cannot be read or has an `@name`; `instead` says what to do then.
    """
    from clipseg_ros.clipseg import Prompt
    from clipseg_ros.clipseg.written import parse_given

    damaged = next((text for text in texts if readable(text) != text), None)
    if damaged is not None:
        raise ValueError(f"the prompt '{readable(damaged)}' is not UTF-8; set the terminal's language to a UTF-8 one")
    written = list(parse_given(texts))
    stored = next((name for one in written for name in one.visual_names), None)
    if stored is not None:
        raise ValueError(f"@{stored} names a picture that a node has stored; {instead}")
    return written, [Prompt(meant, unlike=unlike) for meant, *unlike in (one.parts for one in written)]


def readable(text: str | Path) -> str:
    """Text that can be printed: the bytes of a file name that are not UTF-8 as \\xNN, which a shell's $'...' takes."""
    return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _warn(segmenter: Segmenter, prompts: Sequence[Prompt]) -> None:
    if not segmenter.trained:
        print(f"the weights {segmenter.name!r} are untrained: the masks mean nothing", file=sys.stderr)
    words = dict.fromkeys(word for prompt in prompts for word in segmenter.unknown_words(prompt))
    if words:
        listed = ", ".join(repr(word) for word in words)
        print(f"the weights {segmenter.name!r} have never seen {listed}; expect little of them", file=sys.stderr)


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a probability from 0 to 1")
    return value
