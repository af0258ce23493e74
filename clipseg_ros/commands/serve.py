# SPDX-License-Identifier: Apache-2.0
"""`clipseg serve`: a page on which prompts are tried on pictures, a video or a camera, without ROS."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from clipseg_ros.commands.segment import PICTURES

if TYPE_CHECKING:
    from clipseg_ros.web.local import Film

HELP = "Try prompts on pictures, a video or a camera in a browser."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg serve`."""
    parser.add_argument("input", nargs="?", metavar="INPUT", help="a picture, a folder of them, a video, or the number "
                        "of a camera (default: the recorded scenes, with depth)")
    parser.add_argument("-p", "--prompt", action="append", default=[], metavar="TEXT",
                        help="what to find at first, also 'text=threshold'; repeatable, or several separated by ';'")
    parser.add_argument("--weights", default="demo", metavar="W", help="a path, or a name of `clipseg weights list` "
                        "(default: demo)")
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--allow-download", action="store_true", help="fetch published weights that are not here yet")
    parser.add_argument("--dwell", type=_seconds, default=5.0, metavar="SECONDS", help="how long each picture of "
                        "several is shown (default: 5)")
    parser.add_argument("--address", default="127.0.0.1", metavar="A", help="where the page listens; 0.0.0.0 lets "
                        "other machines in, which need the token that is then printed (default: 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8642, metavar="N",
                        help="port of the page, 0 for any (default: 8642)")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="where frames are kept as training data (default: "
                        "the browser gets them)")


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, then return 0.

    ImportError without aiohttp; OSError or ValueError, with a sentence, for what cannot be shown or listened on.
    """
    from clipseg_ros.clipseg import Segmenter
    from clipseg_ros.clipseg.written import parse_prompts
    from clipseg_ros.lab.datasets.folder import FolderWriter

    _require_aiohttp()
    from clipseg_ros.web.collection import Collection
    from clipseg_ros.web.local import LocalSource
    from clipseg_ros.web.page import Page, serving

    prompts = parse_prompts(*args.prompt)
    film = open_film(args.input, dwell=args.dwell)
    segmenter = Segmenter.load(args.weights, device=args.device, allow_download=args.allow_download,
                               progress=lambda sentence: print(sentence, file=sys.stderr))
    segmenter.check([prompt.text for prompt in prompts])
    source = LocalSource(segmenter, film, title=args.input or "recorded scenes", prompts=prompts)
    collection = Collection(partial(FolderWriter, append=True), args.save)
    with serving(Page(source, address=args.address, port=args.port, collection=collection)) as page:
        print(f"open {page.url} (Ctrl-C ends it)", flush=True)
        try:
            Event().wait()
        except KeyboardInterrupt:
            return 0


def open_film(name: str | None, *, dwell: float) -> Film:
    """What is looked at. OSError or ValueError, with a sentence, where that is not possible."""
    from clipseg_ros.lab.datasets.image_files import read_image
    from clipseg_ros.lab.scenes.frames import RecordedFrames
    from clipseg_ros.web.films import Moving, Slides

    if name is None:
        return RecordedFrames(dwell=dwell)
    if name.isdecimal() and not Path(name).exists():
        return Moving(int(name))
    path = Path(name)
    if path.is_dir():
        pictures = sorted(str(file) for file in path.iterdir() if file.suffix.lower() in PICTURES and file.is_file())
        if not pictures:
            raise ValueError(f"the folder {name} holds no picture ({', '.join(PICTURES)})")
        return Slides(pictures, read_image, dwell=dwell)
    if not path.exists():
        raise OSError(f"there is no file {name}; name a picture, a folder, a video, or the number of a camera")
    if path.suffix.lower() in PICTURES:
        read_image(path)  # what is wrong with it is said at once
        return Slides([name], read_image, dwell=dwell)
    return Moving(name)


def _require_aiohttp() -> None:
    try:
        import aiohttp  # noqa: F401
    except ImportError as error:
        raise ImportError("the page needs aiohttp, the extra `web` of this package: pip install aiohttp") from error


def _port(text: str) -> int:
    value = int(text) if text.isdecimal() else -1
    if not 0 <= value < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; 0 to 65535 are")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, such as 5")
    return value
