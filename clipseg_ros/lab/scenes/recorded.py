# SPDX-License-Identifier: Apache-2.0
"""The scenes that come with the package (`clipseg_ros.recorded`), for demonstrations and tests without MuJoCo.

recorded/scenes.jsonl          camera matrix, camera pose, objects and file names of each scene, one a line
recorded/images/000000.jpg     RGB
recorded/depth/000000.png      16-bit millimetres, 0 unknown
recorded/ids/000000.png        object ids
recorded/CREDITS.md            who made the models that can be seen
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from clipseg_ros.lab.scenes.scene import Scene, SceneObject
from clipseg_ros.recorded import DIRECTORY


def load_recorded(directory: str | Path = DIRECTORY) -> list[Scene]:
    """The recorded scenes in order; depth in metres, NaN where unknown.

    Raises FileNotFoundError where scenes.jsonl or a picture is missing.
    """
    directory = Path(directory)
    index = directory / "scenes.jsonl"
    if not index.is_file():
        raise FileNotFoundError(f"{index} is missing; the package's recorded scenes are not installed")
    lines = index.read_text(encoding="utf-8").splitlines()
    return [_load(directory, json.loads(line)) for line in lines if line.strip()]


def save_recorded(scenes: Sequence[Scene], directory: str | Path, *, quality: int = 92) -> None:
    """Write scenes in the form that load_recorded reads; pictures as JPEG of the given quality (1-100)."""
    from clipseg_ros.lab.datasets.folder import FolderWriter
    from clipseg_ros.lab.scenes.export import describe

    with FolderWriter(directory, jpeg_quality=quality) as folder:
        for scene in scenes:
            folder.add_scene(folder.add_image(scene.rgb), ids=scene.ids, depth=scene.depth, **describe(scene))
    (Path(directory) / "prompts.jsonl").unlink()


def _load(directory: Path, record: dict) -> Scene:
    rgb = cv2.cvtColor(_read(directory / record["image"], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    ids = _read(directory / record["ids"], cv2.IMREAD_UNCHANGED)
    depth = _read(directory / record["depth"], cv2.IMREAD_UNCHANGED).astype(np.float32) / 1000
    depth[depth == 0] = np.nan
    objects = tuple(SceneObject.from_dict(o) for o in record["objects"])
    return Scene(
        rgb, depth, ids, np.array(record["K"]), np.array(record["camera_pose"]), objects, record["seed"]
    )


def _read(path: Path, flags: int) -> np.ndarray:
    image = cv2.imread(str(path), flags)
    if image is None:
        raise FileNotFoundError(f"{path} is missing or no picture")
    return image
