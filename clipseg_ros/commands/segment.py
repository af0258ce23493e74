# SPDX-License-Identifier: Apache-2.0
"""`clipseg segment`: find prompts in pictures; print tables of prompts and objects, draw, cut out, store arrays."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from clipseg_ros.commands.network import add_network_arguments, given_prompts, load_network, readable

if TYPE_CHECKING:
    import numpy as np

    from clipseg_ros.clipseg import Prompt, Segmenter
    from clipseg_ros.clipseg.written import PromptText

HELP = "Find prompts in pictures: tables of scores, places and objects, an overlay, cut-outs, the arrays."

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
"""Endings of the files of a folder that are taken for pictures."""

_OVERLAY_SUFFIXES = (".png", ".jpg", ".jpeg")
_HEADER = ("PICTURE", "PROMPT", "SCORE", "AREA %", "CENTROID px")
_OBJECTS_HEADER = ("PICTURE", "OBJECT", "SCORE", "AREA %", "BOX px")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg segment`."""
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE", help="PNG, JPEG, ... files, "
                        "or folders of them")
    parser.add_argument("-p", "--prompt", action="append", default=[], metavar="TEXT",
                        help="what to find, also 'text=threshold' or 'mug !bowl', a mug but no bowl; repeatable, or "
                        "several separated by ';'")
    parser.add_argument("--visual-prompt", type=Path, metavar="PICTURE", help="an example of what to find")
    parser.add_argument("--visual-mask", type=Path, metavar="PICTURE", help="where it is in the example "
                        "(nonzero; default: what is opaque in a cut-out, else everywhere)")
    add_network_arguments(parser)
    parser.add_argument("-o", "--overlay", type=Path, metavar="FILE",
                        help="picture to draw, .png or .jpg; for several pictures a folder, one NAME.png each")
    parser.add_argument("--alpha", type=Path, metavar="FILE", help="what was found, cut out of the picture with a "
                        "transparent background, .png; for several pictures a folder, one NAME.png each")
    parser.add_argument("--npz", type=Path, metavar="FILE", help="arrays to store: prompts (n,), logits (n, h, w) and "
                        "probabilities (n, H, W); for several pictures a folder, one NAME.npz each")
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Segment every picture and say at the end which could not be; return 0, or 1 if there were such."""
    if not args.prompt and args.visual_prompt is None:
        args.usage_error("nothing to find: give -p TEXT or --visual-prompt PICTURE")
    if args.visual_mask is not None and args.visual_prompt is None:
        args.usage_error("--visual-mask needs the --visual-prompt that it belongs to")

    faults: list[str] = []
    pictures = _pictures(args.pictures, faults)
    targets = _Targets(args, pictures)
    images = _images(pictures, faults)
    first = next(images, None)
    if first is not None:
        written, prompts = _prompts(args)
        segmenter = load_network(args, prompts)
        tables = _Tables()
        try:
            for index, image in chain([first], images):
                try:
                    found = _find(image, written, prompts, segmenter, args.threshold)
                    targets.write(index, found, lambda: segmenter.logits(image, prompts))
                except (ValueError, OSError) as error:
                    faults.append(_sentence(pictures[index], error))
                else:
                    tables.add(pictures[index], found)
        finally:  # also after Ctrl-C: what is done is shown
            tables.print()
    for fault in faults:
        print(f"clipseg segment: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _pictures(arguments: Sequence[Path], faults: list[str]) -> list[Path]:
    """The files, and the pictures of the folders by name; what is wrong with a folder is added to the faults."""
    pictures = []
    for argument in arguments:
        if not argument.is_dir():
            pictures.append(argument)
            continue
        try:
            found = sorted(file for file in argument.iterdir() if file.suffix.lower() in PICTURES
                           and not file.name.startswith(".") and not file.is_dir())
        except OSError as error:
            faults.append(_sentence(argument, error))
            continue
        if not found:
            faults.append(f"the folder {readable(argument)} holds no picture ({', '.join(PICTURES)})")
        pictures += found
    return pictures


def _images(pictures: Sequence[Path], faults: list[str]) -> Iterator[tuple[int, np.ndarray]]:
    """Index and (H, W, 3) uint8 RGB of each picture that can be read; the others are added to the faults."""
    from clipseg_ros.lab.datasets.image_files import read_image

    for index, picture in enumerate(pictures):
        try:
            image = read_image(picture)
        except (ValueError, OSError) as error:
            faults.append(_sentence(picture, error))
        else:
            yield index, image


def _sentence(picture: Path, error: Exception) -> str:
    """What is wrong with a picture or with a file that is written for it, with its name."""
    sentence = str(error)
    if isinstance(error, OSError) and error.strerror:
        file = "" if error.filename in (None, str(picture)) else f" ({error.filename})"
        sentence = f"{error.strerror}{file}"
    name, sentence = readable(picture), readable(sentence)
    return sentence if name in sentence else f"{name}: {sentence}"


def _find(image: np.ndarray, written: Sequence[PromptText], prompts: Sequence[Prompt], segmenter: Segmenter,
          threshold: float | None) -> _Found:
    common = segmenter.threshold if threshold is None else threshold
    thresholds = [common if one.threshold is None else one.threshold for one in written]
    return _Found(image, [one.text for one in written], segmenter.segment(image, prompts), thresholds)


class _Targets:
    """The files that are written for each picture. ValueError where they have no name or would replace a picture."""

    def __init__(self, args: argparse.Namespace, pictures: Sequence[Path]) -> None:
        folder = any(argument.is_dir() for argument in args.pictures)
        self._overlays, self._cut_outs, self._arrays = (
            _targets(target, pictures, folder=folder, option=option, suffixes=suffixes)
            for target, option, suffixes in ((args.overlay, "-o", _OVERLAY_SUFFIXES),
                                             (args.alpha, "--alpha", (".png",)), (args.npz, "--npz", (".npz",))))
        if self._overlays and self._cut_outs and self._overlays[0] == self._cut_outs[0]:
            raise ValueError(f"-o and --alpha would both be written to {self._overlays[0]}; name two places")

    def write(self, index: int, found: _Found, logits: Callable[[], np.ndarray]) -> None:
        """Write what is asked for of one picture; OSError where that is not possible."""
        if self._arrays is not None:
            _store(self._arrays[index], found.names, logits(), found.maps.values)
        if self._overlays is not None:
            _write(self._overlays[index], found.overlay())
        if self._cut_outs is not None:
            _write(self._cut_outs[index], found.cut_out())


class _Tables:
    """The rows of what was found."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, ...]] = []
        self._objects: list[tuple[str, ...]] = []

    def add(self, picture: Path, found: _Found) -> None:
        self._rows += [(readable(picture), *row) for row in found.prompt_rows()]
        self._objects += [(readable(picture), *row) for row in found.object_rows()]

    def print(self) -> None:
        """Both tables, as far as they have rows."""
        if self._rows:
            print_table(_HEADER, self._rows)
        if self._objects:
            print()
            print_table(_OBJECTS_HEADER, self._objects)
        sys.stdout.flush()


class _Found:
    """What was found in one picture."""

    def __init__(self, image: np.ndarray, names: Sequence[str], probabilities: np.ndarray,
                 thresholds: Sequence[float]) -> None:
        from clipseg_ros.perception.found import locate_objects
        from clipseg_ros.perception.maps import Maps
        from clipseg_ros.perception.objects import Objects
        from clipseg_ros.perception.patches import Patches

        self.image, self.names = image, names
        self.maps = Maps(probabilities, tuple(thresholds))
        self.objects = locate_objects(Objects(self.maps, Patches(image)).regions, names)

    def prompt_rows(self) -> list[tuple[str, ...]]:
        """Name, score, area and centroid of each prompt, as the table shows them."""
        return [(name, *_describe(mask, score)) for name, mask, score
                in zip(self.names, self.maps.masks, self.maps.scores)]

    def object_rows(self) -> list[tuple[str, ...]]:
        """Name, score, area and box of each object."""
        rows = []
        for one in self.objects:
            x, y, width, height = one.region.roi
            share = 100 * one.region.area / self.image[..., 0].size
            rows.append((one.prompt, f"{one.region.score:.3f}", f"{share:.2f}", f"{width}x{height} at ({x}, {y})"))
        return rows

    def overlay(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        from clipseg_ros.perception.overlay import draw_overlay

        return draw_overlay(self.image, self.maps, self.names, objects=self.objects)

    def cut_out(self) -> np.ndarray:
        """(H, W, 4) uint8 RGBA: what any of the prompts means."""
        from clipseg_ros.perception.matting import cut_out, refined_alphas

        return cut_out(self.image, refined_alphas(self.maps, self.image).max(axis=0))


def _prompts(args: argparse.Namespace) -> tuple[list[PromptText], list[Prompt]]:
    """The texts in their order, as people write them with thresholds of their own, then the visual prompt as @NAME."""
    from clipseg_ros.clipseg import Prompt
    from clipseg_ros.clipseg.written import PromptText
    from clipseg_ros.lab.datasets.image_files import read_cut_out, read_image, read_mask

    written, prompts = given_prompts(args.prompt, "here --visual-prompt gives one")
    if args.visual_prompt is not None:
        mask = read_cut_out(args.visual_prompt) if args.visual_mask is None else read_mask(args.visual_mask)
        written.append(PromptText(f"@{readable(args.visual_prompt.stem)}"))
        prompts.append(Prompt(image=read_image(args.visual_prompt), mask=mask))
    return written, prompts


def _targets(target: Path | None, pictures: Sequence[Path], *, folder: bool, option: str,
             suffixes: Sequence[str]) -> list[Path] | None:
    """The file to write for each picture, in a folder where there are several, or they come from a `folder`, or where
    `target` is one.
    """
    if target is None:
        return None
    named = target.suffix.lower() in suffixes
    if len(pictures) == 1 and not target.is_dir() and (named or not folder):
        if not named:
            raise ValueError(f"{option} {target} must end in {' or '.join(suffixes)}")
        files = [target]
    else:
        if target.is_file() or named:
            raise ValueError(f"{option} {target} is one file for {len(pictures)} pictures; name a folder instead")
        files = [target / f"{picture.stem}{suffixes[0]}" for picture in pictures]
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise ValueError(f"two of the pictures would both be written to {readable(twice)}; give them different names")
    own = {picture.resolve() for picture in pictures}
    lost = next((file for file in files if file.resolve() in own), None)
    if lost is not None:
        raise ValueError(f"{option} {target} would replace the picture {readable(lost)}; name another place")
    return files


def _describe(mask: np.ndarray, score: float) -> tuple[str, str, str]:
    """Score, area and centroid of one prompt's mask (H, W), as the table shows them."""
    import numpy as np

    rows, columns = np.nonzero(mask)
    centroid = f"({columns.mean():.1f}, {rows.mean():.1f})" if len(rows) else "-"
    return f"{score:.3f}", f"{100 * len(rows) / mask.size:.2f}", centroid


def _store(path: Path, names: Sequence[str], logits: np.ndarray, probabilities: np.ndarray) -> None:
    import numpy as np

    from clipseg_ros.clipseg.whole_files import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, prompts=np.array(names), logits=logits, probabilities=probabilities)


def _write(path: Path, picture: np.ndarray) -> None:
    from clipseg_ros.lab.datasets.image_files import write_image

    write_image(path, picture, jpeg_quality=None if path.suffix.lower() == ".png" else 95)


def print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of cells in columns as wide as they need: two to the left, the others to the right."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        left = "  ".join(cell.ljust(width) for cell, width in zip(row[:2], widths))
        right = "  ".join(cell.rjust(width) for cell, width in zip(row[2:], widths[2:]))
        print(f"{left}  {right}")
