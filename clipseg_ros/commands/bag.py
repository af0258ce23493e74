# SPDX-License-Identifier: Apache-2.0
"""`clipseg bag`: find prompts in a recorded bag; write what the node would have published, a video, a table."""

from __future__ import annotations

import argparse
import math
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clipseg_ros.commands.arguments import seconds
from clipseg_ros.commands.network import add_network_arguments, given_prompts, load_network, readable
from clipseg_ros.commands.watch import printable, table

if TYPE_CHECKING:
    from clipseg_ros.bags.cameras import Camera
    from clipseg_ros.bags.moments import Choices
    from clipseg_ros.bags.outputs import Output
    from clipseg_ros.bags.reading import Bag
    from clipseg_ros.bags.search import Result
    from clipseg_ros.clipseg import Segmenter
    from clipseg_ros.clipseg.prompts import ActivePrompts

HELP = "Find prompts in a recorded bag (ROS 1 or 2), without ROS: masks, objects and poses to play beside it, a video."

HEADINGS = ("PROMPT", "IMAGES", "OBJECTS", "BEST SCORE")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg bag`."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="a .mcap, .db3 or .bag file, or a folder of such files")
    parser.add_argument("-p", "--prompt", action="append", required=True, metavar="TEXT",
                        help="what to find, also 'text=threshold'; repeatable, or several separated by ';'")
    parser.add_argument("--image", default="", metavar="TOPIC", help="images to search, raw or compressed (default: "
                        "those that fit best)")
    parser.add_argument("--depth", default="", metavar="TOPIC", help="depth of the images' pixels, raw or compressed "
                        "(default: that in their frame)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.mcap", help="bag to write, with /clipseg/mask, "
                        "objects, poses and overlay at the images' stamps")
    parser.add_argument("--no-overlay", action="store_true", help="leave the overlay out of it, most of its bytes")
    parser.add_argument("--video", type=Path, metavar="FILE.mp4", help="video of the overlays to write, .mp4 "
                        "or .mkv, which can be played even if the run is killed")
    parser.add_argument("--csv", type=Path, metavar="FILE.csv", help="table of the objects to write, a row each")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    parser.add_argument("--every", type=_count, default=1, metavar="N", help="search one image of N (default: 1)")
    parser.add_argument("--start", type=seconds, default=0.0, metavar="S", help="seconds since the bag's beginning")
    parser.add_argument("--end", type=seconds, default=math.inf, metavar="S", help="seconds since the bag's beginning")
    parser.add_argument("--target-frame", default="", metavar="FRAME", help="frame of the poses, by the bag's tf "
                        "(default: the images' own)")
    parser.add_argument("--assume-registered", action="store_true",
                        help="depth is of the images' pixels although its frame_id differs")
    parser.add_argument("--rectified", action="store_true",
                        help="images are free of distortion although camera_info has coefficients")
    parser.add_argument("--depth-slop", type=seconds, default=0.05, metavar="S",
                        help="how far the stamps of depth and image may differ, in seconds (default: 0.05)")
    parser.add_argument("--batch", type=_count, metavar="N", help="images that go through the network together "
                        "(default: 1 on a CPU, 4 on a GPU)")
    add_network_arguments(parser)
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Search the bag and print what was found; return 0. Interrupted, the files hold what was found until then."""
    _require_extra()
    from clipseg_ros.bags.cameras import find_camera
    from clipseg_ros.bags.reading import Bag

    if args.start >= args.end:
        args.usage_error(f"--start {args.start:g} is not before --end {args.end:g}")
    _check_targets(args)
    notes = _Notes()
    with Bag(args.bag, warn=notes.warn) as bag:
        length = (bag.end - bag.start) * 1e-9
        if args.start >= length:
            raise ValueError(f"--start is {args.start:g} s, but {readable(args.bag)} is only {length:.1f} s long")
        camera = find_camera(bag, image=args.image, depth=args.depth, warn=notes.warn)
        _tell(camera)
        segmenter, active = _network(args)
        _search(args, bag, camera, segmenter, active, notes)
    return 0


def _search(args: argparse.Namespace, bag: Bag, camera: Camera, segmenter: Segmenter, active: ActivePrompts,
            notes: _Notes) -> None:
    import cv2
    from tqdm import tqdm

    from clipseg_ros.bags.moments import Moments
    from clipseg_ros.bags.search import search

    choices = _choices(args)
    batch = args.batch or (4 if segmenter.device.type == "cuda" else 1)
    if segmenter.device.type == "cuda":
        segmenter.warm_up(batch)
    cv2.setNumThreads(1)  # pictures are worked on side by side
    summary = _Summary(active.texts)
    moments = Moments(bag, camera, choices, warn=notes.warn)
    with ExitStack() as ending, _ended_politely():
        ending.callback(notes.close)
        ending.callback(summary.print)
        results = search(moments, segmenter, active, choices=choices, batch=batch, warn=notes.warn)
        ending.callback(results.close)
        outputs = []
        for output in _outputs(args, active):
            ending.callback(output.close)
            outputs.append(output)
        for result in tqdm(results, total=_images(bag, camera, choices), unit="image"):
            for output in outputs:
                output.add(result)
            summary.add(result)


def _network(args: argparse.Namespace) -> tuple[Segmenter, ActivePrompts]:
    from clipseg_ros.clipseg.prompts import ActivePrompts

    given, prompts = given_prompts(args.prompt, "here only texts can be looked for")
    if not given:
        args.usage_error("nothing to find: -p needs a text")
    segmenter = load_network(args, prompts)
    common = segmenter.threshold if args.threshold is None else args.threshold
    thresholds = tuple(common if one.threshold is None else one.threshold for one in given)
    return segmenter, ActivePrompts(tuple(one.text for one in given), tuple(prompts), thresholds)


def _choices(args: argparse.Namespace) -> Choices:
    from clipseg_ros.bags.moments import Choices

    return Choices(target_frame=args.target_frame.lstrip("/"), depth_slop=args.depth_slop, rectified=args.rectified,
                   assume_registered=args.assume_registered, every=args.every, start=args.start, end=args.end)


def _outputs(args: argparse.Namespace, active: ActivePrompts) -> Iterator[Output]:
    """The files that are asked for, each made when it is its turn."""
    from clipseg_ros.bags import outputs

    frame = args.target_frame.lstrip("/")
    for path in filter(None, (args.output, args.video, args.csv)):
        path.parent.mkdir(parents=True, exist_ok=True)
    if args.output is not None:
        yield outputs.Recording(args.output, active, target_frame=frame, overlay=not args.no_overlay)
    if args.video is not None:
        yield outputs.Video(args.video)
    if args.csv is not None:
        yield outputs.Table(args.csv, target_frame=frame)


def _images(bag: Bag, camera: Camera, choices: Choices) -> int:
    """About how many images will be searched."""
    length = (bag.end - bag.start) * 1e-9
    share = (min(choices.end, length) - choices.start) / length if length > 0 else 1.0
    return max(1, math.ceil(camera.image.count * min(share, 1.0) / choices.every))


def _tell(camera: Camera) -> None:
    """Which topics are used."""
    for what, topic in (("image", camera.image), ("camera_info", camera.info), ("depth", camera.depth)):
        told = f"{topic.name} ({topic.kind.replace('/msg/', '/')}, {topic.count})" if topic else "none"
        print(f"{what + ':':<13}{told}", file=sys.stderr)
    if camera.others:
        print(f"these would do as well, with --image: {', '.join(camera.others)}", file=sys.stderr)


class _Notes:
    """Sentences for people, each said once; those that differ only in numbers count as one."""

    def __init__(self) -> None:
        self._said: Counter[str] = Counter()

    def warn(self, sentence: str) -> None:
        """Say it, if it is new; safe to call from several threads."""
        from tqdm import tqdm

        key = re.sub(r"\d+(\.\d+)?", "0", sentence)
        self._said[key] += 1
        if self._said[key] == 1:
            tqdm.write(f"clipseg bag: {readable(sentence)}", file=sys.stderr)

    def close(self) -> None:
        """Say how often what was said more than once."""
        for key, times in self._said.items():
            if times > 1:
                print(f"clipseg bag: {times} times: {readable(key)}", file=sys.stderr)


class _Summary:
    """What was found of each prompt."""

    def __init__(self, prompts: Sequence[str]) -> None:
        self._prompts = prompts
        self._images = 0
        self._with: Counter[int] = Counter()
        self._tracks: dict[int, set[int]] = {index: set() for index in range(len(prompts))}
        self._best = [0.0] * len(prompts)

    def add(self, result: Result) -> None:
        """Count one picture's objects."""
        self._images += 1
        self._best = list(map(max, self._best, result.findings.scores))
        for one in result.findings.objects:
            self._tracks[one.prompt_index].add(one.track_id)
        self._with.update({one.prompt_index for one in result.findings.objects})

    def print(self) -> None:
        """A row a prompt; tracked objects count once."""
        rows = [(printable(prompt), f"{self._with[index]} of {self._images}", str(len(self._tracks[index])),
                 f"{self._best[index]:.2f}") for index, prompt in enumerate(self._prompts)]
        print("\n".join(table(HEADINGS, rows)))


@contextmanager
def _ended_politely() -> Iterator[None]:
    """Within, SIGTERM is what Ctrl-C is: the files are ended."""
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _require_extra() -> None:
    try:
        import mcap  # noqa: F401
        import rosbags  # noqa: F401
    except ImportError as error:
        raise ImportError(f"recordings need the extra `bags` ({error}): pip install 'clipseg_ros[bags]'") from None


def _check_targets(args: argparse.Namespace) -> None:
    """Raise ValueError for a file that has another ending, is there already or is what is searched."""
    for option, path, suffixes in (("-o", args.output, (".mcap",)), ("--video", args.video, (".mp4", ".mkv")),
                                   ("--csv", args.csv, (".csv",))):
        if path is None:
            continue
        if path.suffix.lower() not in suffixes:
            raise ValueError(f"{option} {readable(path)} must end in {' or '.join(suffixes)}")
        if args.bag.resolve() in (path.resolve(), path.resolve().parent):
            raise ValueError(f"{option} {readable(path)} is part of the bag that is searched; name another place")
        if path.exists() and not args.overwrite:
            raise ValueError(f"{option} {readable(path)} is there already; name another file, or give --overwrite")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of images; give a whole number from 1")
    return int(text)
