# SPDX-License-Identifier: Apache-2.0
"""`clipseg recall`: remember the frames of a folder, then find prompts in all of them; a table, a plan from above."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipseg_ros.commands.network import add_network_arguments, given_prompts, load_network
from clipseg_ros.commands.segment import print_table

if TYPE_CHECKING:
    from clipseg_ros.memory import RecalledObject

HELP = "Remember the frames of a folder with poses, and find prompts in all of them: each thing once, where it is."

_HEADER = ("PROMPT", "BEST VIEW", "SCORE", "METRES x y z", "VIEWS", "SEEN s")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg recall`."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="frames in the format of the evaluation, each with "
                        "a camera_pose (4, 4) in scenes.jsonl, best also depth, K and stamp")
    parser.add_argument("-p", "--prompt", action="append", required=True, metavar="TEXT",
                        help="what to find, also 'text=threshold'; repeatable, or several separated by ';'")
    add_network_arguments(parser)
    parser.add_argument("--size", type=float, default=500.0, metavar="MB", help="of the memory (default: 500)")
    parser.add_argument("--map", type=Path, metavar="FILE", help="plan of the way, the keyframes and what was found, "
                        ".png")


def run(args: argparse.Namespace) -> int:
    """Remember, recall and print; return 0."""
    from tqdm import tqdm

    from clipseg_ros.lab.datasets.image_files import write_image
    from clipseg_ros.memory import Memory
    from clipseg_ros.memory.plan import draw_plan

    if args.map is not None and args.map.suffix.lower() != ".png":
        raise ValueError(f"--map {args.map} must end in .png")
    written, prompts = given_prompts(args.prompt, "here only texts can be looked for")
    frames = list(_frames(args.folder))
    segmenter = load_network(args, prompts)
    memory = Memory(segmenter, size=args.size)
    for image, known in tqdm(frames, unit="frame"):
        memory.add(_image(image), **_read(known))
    usual = args.threshold or segmenter.threshold
    thresholds = [usual if one.threshold is None else one.threshold for one in written]
    found = memory.recall(prompts, thresholds=thresholds)
    print(f"{len(frames)} frames, {len(memory)} kept, {memory.nbytes / 1e6:.1f} MB")
    print_table(_HEADER, _rows([one.text for one in written], found, frames))
    if args.map is not None:
        plan = draw_plan(memory.keyframes, found, [known["pose"] for _, known in frames])
        write_image(args.map, plan)
    return 0


def _frames(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The image of each frame and what is known of it, files unread. ValueError for a frame without a pose."""
    from clipseg_ros.lab.datasets.folder import SCENES_FILE, read_scenes
    from clipseg_ros.perception.transforms import Transform

    scenes = read_scenes(folder)
    if not scenes:
        raise ValueError(f"{folder} has no frames; {SCENES_FILE} must name images with their camera_pose")
    for index, (image, record) in enumerate(scenes.items()):
        if record.get("camera_pose") is None:
            raise ValueError(f"{image} has no camera_pose in {SCENES_FILE}; a memory needs one of each frame")
        yield image, {"pose": Transform.from_matrix(record["camera_pose"]), "depth": record.get("depth"),
                      "K": record.get("K"), "stamp": float(record.get("stamp", index))}


def _image(path: Path) -> Any:
    from clipseg_ros.lab.datasets.image_files import read_image

    return read_image(path, as_stored=True)


def _read(known: dict[str, Any]) -> dict[str, Any]:
    """What `Memory.add` takes besides the image."""
    import numpy as np

    from clipseg_ros.lab.datasets.image_files import read_grey
    from clipseg_ros.perception.camera import Pinhole
    from clipseg_ros.perception.depth import depth_in_metres

    depth, k = known["depth"], known["K"]
    metres = None if depth is None else depth_in_metres(read_grey(depth), "16UC1")
    camera = None
    if k is not None and metres is not None:
        camera = Pinhole.from_camera_info(np.ravel(k).tolist(), metres.shape[1], metres.shape[0])
    return {"pose": known["pose"], "stamp": known["stamp"], "depth": metres, "camera": camera}


def _rows(texts: Sequence[str], found: Sequence[RecalledObject],
          frames: Sequence[tuple[Path, dict[str, Any]]]) -> list[tuple[str, ...]]:
    """A row for each object, and one for a prompt without any."""
    names = {known["stamp"]: image.name for image, known in frames}
    rows = []
    for index, text in enumerate(texts):
        mine = [one for one in found if one.prompt_index == index]
        rows += [(text, names[one.view.stamp], f"{one.score:.2f}",
                  "-" if one.found.pose is None else " ".join(f"{value:.2f}" for value in one.found.pose.position),
                  str(one.views), f"{one.first_seen:g} to {one.last_seen:g}") for one in mine]
        rows += [] if mine else [(text, "-", "-", "-", "0", "-")]
    return rows
