# SPDX-License-Identifier: Apache-2.0
"""`clipseg evaluate`: measure how well weights find what is asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clipseg_ros.clipseg.segmenter import Segmenter
    from clipseg_ros.lab.evaluation.gallery import Gallery
    from clipseg_ros.lab.evaluation.pictures import Picture
    from clipseg_ros.lab.evaluation.run import Evaluation

HELP = "Measure weights on a folder of pictures, masks and phrases, or on the simulated home."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg evaluate`."""
    data = parser.add_argument_group("what is asked")
    data.add_argument("--data", type=Path, metavar="DIR", help="a folder (default: the simulated home)")
    data.add_argument("--limit", type=int, metavar="N", help="only N pictures (simulated home: 100)")
    data.add_argument("--seed", type=int, default=0, metavar="S", help="other scenes of the simulated home")
    data.add_argument("--held-out", action="store_true", help="simulated home with objects never trained on")
    network = parser.add_argument_group("who is asked")
    network.add_argument("--weights", default="demo", metavar="W", help="path or name, see `clipseg weights`")
    network.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 ... (default: auto)")
    network.add_argument("--allow-download", action="store_true", help="fetch published weights if missing")
    answer = parser.add_argument_group("what comes out")
    answer.add_argument("--threshold", type=float, metavar="T", help="what reaches it is found (the weights' own)")
    answer.add_argument("--refine-alpha", action="store_true", help="matting measures of the objects' masks with the "
                        "picture's edges, not of the probability")
    answer.add_argument("--errors", action="store_true", help="which errors cost how much, by size and category")
    answer.add_argument("--json", type=Path, metavar="OUT", help="write figures, curves and every case")
    answer.add_argument("--csv", type=Path, metavar="OUT", help="write a row of figures per type of prompt")
    answer.add_argument("--report", type=Path, metavar="DIR", help="write DIR/index.html, with pictures")


def run(args: argparse.Namespace) -> int:
    """Evaluate as the arguments say, print a table, write what was asked for; return 0."""
    from clipseg_ros.clipseg.segmenter import Segmenter
    from clipseg_ros.lab.evaluation.errors import error_tables
    from clipseg_ros.lab.evaluation.gallery import Gallery
    from clipseg_ros.lab.evaluation.page import write_page
    from clipseg_ros.lab.evaluation.report import tables, to_text, write_csv, write_json
    from clipseg_ros.lab.evaluation.segmentation import index_of

    if args.threshold is not None:
        index_of(args.threshold)
    pictures, data = _pictures(args)
    segmenter = Segmenter.load(args.weights, device=args.device, allow_download=args.allow_download)
    threshold = segmenter.threshold if args.threshold is None else args.threshold
    gallery = Gallery(threshold=threshold) if args.report else None
    evaluation = _evaluate(segmenter, pictures, threshold, gallery, args.refine_alpha)
    about = {"weights": segmenter.name, "data": data}
    print(f"{segmenter.name} on {data}; pictures: {evaluation.pictures}, threshold: {threshold:g}\n")
    print(to_text(tables(evaluation)))
    if args.errors:
        print("\n" + to_text(error_tables(evaluation.cases)))
    if not segmenter.trained:
        print("\nThese weights are not trained: the figures mean nothing.", file=sys.stderr)
    if args.json:
        write_json(evaluation, args.json, **about)
    if args.csv:
        write_csv(evaluation, args.csv, **about)
    if gallery is not None:
        page = write_page(evaluation, gallery, args.report, title=f"{segmenter.name} on {data}")
        print(f"\n{page}")
    return 0


def _evaluate(
    segmenter: Segmenter, pictures: Iterable[Picture], threshold: float, gallery: Gallery | None, refine_alpha: bool
) -> Evaluation:
    """Evaluate with a progress bar; afterwards say which words the network does not know."""
    from tqdm import tqdm

    from clipseg_ros.lab.evaluation.run import evaluate, prompt_of

    unknown: set[str] = set()

    def on_case(case, picture, question, probability) -> None:
        if question.type != "visual":
            unknown.update(segmenter.unknown_words(prompt_of(question)))
        if gallery is not None:
            gallery.offer(case, picture, question, probability)

    # disable=None: no bar where the output is not a terminal
    with closing(tqdm(pictures, unit="picture", disable=None)) as bar:
        evaluation = evaluate(segmenter, bar, threshold=threshold, matting=True, refine_alpha=refine_alpha, on_case=on_case)
    if unknown:
        words = ", ".join(sorted(unknown)[:20])
        print(f"{len(unknown)} words that {segmenter.name} never learned: {words}", file=sys.stderr)
    return evaluation


def _pictures(args: argparse.Namespace) -> tuple[Iterable[Picture], str]:
    """Return the pictures that the arguments mean, and a name for them."""
    from clipseg_ros.lab.evaluation.pictures import FolderPictures

    if args.data is not None:
        if args.seed or args.held_out:
            raise ValueError("--seed and --held-out choose simulated scenes; leave them out with --data.")
        return FolderPictures(args.data, limit=args.limit, alpha=True), str(args.data)
    from clipseg_ros.lab.evaluation.simulated import simulated_home

    return simulated_home(args.limit, seed=args.seed, held_out=args.held_out)
