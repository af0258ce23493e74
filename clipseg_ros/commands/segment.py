# SPDX-License-Identifier: Apache-2.0
"""`clipseg segment`: find prompts in pictures; print a table, draw an overlay, store the arrays."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from clipseg_ros.clipseg import Prompt, Segmenter

HELP = "Find prompts in pictures: a table of scores and places, an overlay, the arrays."

_OVERLAY_SUFFIXES = (".png", ".jpg", ".jpeg")
_HEADER = ("PICTURE", "PROMPT", "SCORE", "AREA %", "CENTROID px")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg segment`."""
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE", help="PNG, JPEG, ... files")
    parser.add_argument("-p", "--prompt", action="append", default=[], metavar="TEXT", help="what to find; repeatable")
    parser.add_argument("--visual-prompt", type=Path, metavar="PICTURE", help="an example of what to find")
    parser.add_argument("--visual-mask", type=Path, metavar="PICTURE", help="where it is in the example (nonzero)")
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
    parser.add_argument("--threshold", type=_probability, default=0.5, metavar="T",
                        help="probability from which a pixel is counted and drawn (default: 0.5)")
    parser.add_argument("--allow-download", action="store_true", help="fetch published weights that are not here yet")
    parser.add_argument("-o", "--overlay", type=Path, metavar="FILE",
                        help="picture to draw, .png or .jpg; for several pictures a folder, one NAME.png each")
    parser.add_argument("--npz", type=Path, metavar="FILE", help="arrays to store: prompts (n,), logits (n, h, w) and "
                        "probabilities (n, H, W); for several pictures a folder, one NAME.npz each")
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Segment every picture; return 0."""
    if not args.prompt and args.visual_prompt is None:
        args.usage_error("nothing to find: give -p TEXT or --visual-prompt PICTURE")
    if args.visual_mask is not None and args.visual_prompt is None:
        args.usage_error("--visual-mask needs the --visual-prompt that it belongs to")

    from clipseg_ros.clipseg import Segmenter
    from clipseg_ros.lab.datasets.image_files import read_image

    overlays = _targets(args.overlay, args.pictures, option="-o", suffixes=_OVERLAY_SUFFIXES)
    arrays = _targets(args.npz, args.pictures, option="--npz", suffixes=(".npz",))
    first = read_image(args.pictures[0])
    names, prompts = _prompts(args)
    segmenter = Segmenter.load(
        args.weights, device=args.device, precision=args.precision, backend=args.backend, input_size=args.input_size,
        allow_download=args.allow_download, progress=lambda sentence: print(sentence, file=sys.stderr)
    )
    segmenter.check(prompts)
    _warn(segmenter, prompts)
    rows = []
    for index, picture in enumerate(args.pictures):
        image = read_image(picture) if index else first
        probabilities = segmenter.segment(image, prompts)
        rows += [
            (str(picture), name, *_describe(probability, args.threshold))
            for name, probability in zip(names, probabilities)
        ]
        if arrays is not None:
            _store(arrays[index], names, segmenter.logits(image, prompts), probabilities)
        if overlays is not None:
            _draw(overlays[index], image, probabilities, args.threshold, names)
    _print_table(rows)
    return 0


def _prompts(args: argparse.Namespace) -> tuple[list[str], list[Prompt]]:
    """Names for people, and the prompts: the texts in their order, then the visual one as @NAME."""
    from clipseg_ros.clipseg import Prompt
    from clipseg_ros.lab.datasets.image_files import read_image, read_mask

    names, prompts = list(args.prompt), [Prompt(text) for text in args.prompt]
    if args.visual_prompt is not None:
        mask = None if args.visual_mask is None else read_mask(args.visual_mask)
        names.append(f"@{args.visual_prompt.stem}")
        prompts.append(Prompt(image=read_image(args.visual_prompt), mask=mask))
    return names, prompts


def _targets(
    target: Path | None, pictures: Sequence[Path], *, option: str, suffixes: Sequence[str]
) -> list[Path] | None:
    """The file to write for each picture, in a folder where there are several or where `target` is one."""
    if target is None:
        return None
    if len(pictures) == 1 and not target.is_dir():
        if target.suffix.lower() not in suffixes:
            raise ValueError(f"{option} {target} must end in {' or '.join(suffixes)}")
        return [target]
    if target.is_file() or target.suffix.lower() in suffixes:
        raise ValueError(f"{option} {target} is one file for {len(pictures)} pictures; name a folder instead")
    files = [target / f"{picture.stem}{suffixes[0]}" for picture in pictures]
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise ValueError(f"two of the pictures would both be written to {twice}; give them different names")
    return files


def _describe(probability: np.ndarray, threshold: float) -> tuple[str, str, str]:
    """Score, area and centroid of one prompt, as the table shows them."""
    import numpy as np

    rows, columns = np.nonzero(probability >= threshold)
    centroid = f"({columns.mean():.1f}, {rows.mean():.1f})" if len(rows) else "-"
    return f"{probability.max():.3f}", f"{100 * len(rows) / probability.size:.2f}", centroid


def _store(path: Path, names: Sequence[str], logits: np.ndarray, probabilities: np.ndarray) -> None:
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez_compressed(file, prompts=np.array(names), logits=logits, probabilities=probabilities)


def _draw(
    path: Path, image: np.ndarray, probabilities: np.ndarray, threshold: float, names: Sequence[str]
) -> None:
    from clipseg_ros.lab.datasets.image_files import write_image
    from clipseg_ros.perception.overlay import draw_overlay

    picture = draw_overlay(image, probabilities, [threshold] * len(names), names)
    write_image(path, picture, jpeg_quality=None if path.suffix.lower() == ".png" else 95)


def _warn(segmenter: Segmenter, prompts: Sequence[Prompt]) -> None:
    if not segmenter.trained:
        print(f"the weights {segmenter.name!r} are untrained: the masks mean nothing", file=sys.stderr)
    words = dict.fromkeys(word for prompt in prompts for word in segmenter.unknown_words(prompt))
    if words:
        listed = ", ".join(repr(word) for word in words)
        print(f"the weights {segmenter.name!r} have never seen {listed}; expect little of them", file=sys.stderr)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    table = [_HEADER, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEADER))]
    for row in table:
        left = "  ".join(cell.ljust(width) for cell, width in zip(row[:2], widths))
        right = "  ".join(cell.rjust(width) for cell, width in zip(row[2:], widths[2:]))
        print(f"{left}  {right}")


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a probability from 0 to 1")
    return value
