# SPDX-License-Identifier: Apache-2.0
"""`clipseg scenes`: render scenes of the simulated home with their prompts and ground truth."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "Render scenes of the simulated home, with depth, object ids, prompts and their masks."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg scenes`."""
    parser.add_argument("count", type=_count, metavar="N", help="number of scenes")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write, must be new"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="other scenes (default: 0)")
    parser.add_argument(
        "--tour", action="store_true", help="N frames of a camera that goes about one room, with its poses"
    )
    parser.add_argument(
        "--held-out", action="store_true", help="only object models that the demo network never saw"
    )
    parser.add_argument(
        "--size", type=_size, default=(640, 480), metavar="WxH", help="pixels (default: 640x480)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the folder that the arguments describe; return 0."""
    from tqdm import tqdm

    from clipseg_ros.lab.datasets.folder import FolderWriter
    from clipseg_ros.lab.scenes import furniture, home
    from clipseg_ros.lab.scenes.export import write_scene
    from clipseg_ros.lab.scenes.stream import stream_scenes
    from clipseg_ros.lab.scenes.supports import Supports
    from clipseg_ros.lab.scenes.tour import Room

    home.check_drawing()
    furniture.require()
    width, height = args.size
    if args.tour:
        room = Room(home.Home(args.seed, held_out=args.held_out, width=width, height=height), args.seed)
        scenes = room.tour(args.count)
    else:
        scenes = stream_scenes(args.count, seed=args.seed, held_out=args.held_out, width=width, height=height)
    supports = Supports()
    prompts = 0
    with FolderWriter(args.output) as folder:
        for scene in tqdm(scenes, total=args.count, unit="scene"):
            prompts += write_scene(folder, scene, supports)
    print(f"{args.count} scenes with {prompts} prompts in {args.output}")
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of scenes; give a whole number from 1")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if (
        len(parts) != 2
        or not all(p.isdecimal() and 32 <= int(p) <= 1280 for p in parts)
        or int(parts[1]) > 960
    ):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size; give WxH such as 640x480, from 32x32 to 1280x960"
        )
    return int(parts[0]), int(parts[1])
