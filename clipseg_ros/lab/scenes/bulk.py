# SPDX-License-Identifier: Apache-2.0
"""Many scenes rendered to disk for training: small, quick to decode, safe to read meanwhile.

Format of a directory:

    scenes.jsonl        one object a line, written after its files:
        {"image": "images/000123.jpg", "ids": "ids/000123.png", "seed": 123, "stock": 0,
         "objects": [{"id": 1, "category": "cup", "colour": "red" | null, "model": "shape/mug",
                      "size": [w, d, h] metres, "centroid": [x, y, z] camera optical frame, metres,
                      "pixels": at 470 x 352, "visible": 0..1, "nameable": bool, "held_out": bool,
                      "pose": [x, y, yaw]}, ...]}
    images/000123.jpg   RGB, 352 x 352 squashed from a 4:3 camera of 470 x 352,
                        JPEG of quality 95, without chroma subsampling from OpenCV 4.7 on
    ids/000123.png      8-bit, 352 x 352: the object's id at every pixel, 0 where there is none

Objects with "nameable": false are in the ids, but too small or too hidden to be asked for; they are no
negatives either (phrases.sample_phrases knows). A new stock of objects is drawn every SCENES_PER_STOCK
scenes.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from clipseg_ros.lab.scenes.scene import Scene

WIDTH, HEIGHT, SIDE = 470, 352, 352
SCENES_PER_STOCK = 200
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95]
if hasattr(cv2, "IMWRITE_JPEG_SAMPLING_FACTOR"):  # OpenCV 4.6 cannot choose
    _JPEG += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


def check_seed(seed: int) -> None:
    """Raise ValueError for a seed whose scenes are kept for others than training."""
    if not 0 <= seed < 90:
        raise ValueError(f"the seed is {seed}; it must be 0 to 89, since live scenes and evaluation have the others")


def render_to_disk(directory: str | Path, count: int, *, seed: int = 0) -> None:
    """Write the scenes 0 to `count` - 1 of a seed, without those in which nothing can be named.

    Scenes that the index has already are kept, so an interrupted run goes on after the last one, and a run that was
    not interrupted renders nothing again. Raises ValueError for a seed that is not for training, ImportError where
    MuJoCo or the furniture package is not installed.
    """
    from clipseg_ros.lab.scenes.home import Home  # here, so that a seed can be checked without MuJoCo

    check_seed(seed)
    directory = Path(directory)
    for name in ("images", "ids"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    index = directory / "scenes.jsonl"
    first = _last_recorded(index) + 1
    home, stock = None, None
    with index.open("a", encoding="utf-8") as lines:
        for number in range(first, count):
            wanted = seed * 10_000 + number // SCENES_PER_STOCK
            if wanted != stock:
                if home is not None:
                    home.close()
                home, stock = Home(wanted, width=WIDTH, height=HEIGHT), wanted
            scene = home.scene(seed * 10_000_000 + number)
            if any(o.nameable for o in scene.objects):
                name = f"{number:06d}"
                _write(directory, name, scene)
                lines.write(json.dumps(_record(name, scene, stock)) + "\n")
                lines.flush()
    if home is not None:
        home.close()


def _last_recorded(index: Path) -> int:
    """Number of the last scene in the index, -1 without any; a line that was interrupted is taken out."""
    if not index.is_file():
        return -1
    text = index.read_text(encoding="utf-8")
    complete = text[: text.rfind("\n") + 1]
    if complete != text:
        index.write_text(complete, encoding="utf-8")
    return max((int(Path(json.loads(line)["image"]).stem) for line in complete.splitlines()), default=-1)


def _record(name: str, scene: Scene, stock: int) -> dict:
    """A line of the index."""
    return {
        "image": f"images/{name}.jpg",
        "ids": f"ids/{name}.png",
        "seed": scene.seed,
        "stock": stock,
        "objects": [_rounded(o.to_dict()) for o in scene.objects],
    }


def _write(directory: Path, name: str, scene: Scene) -> None:
    picture = cv2.resize(scene.rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    ids = cv2.resize(scene.ids, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    cv2.imwrite(
        str(directory / "images" / f"{name}.jpg"),
        cv2.cvtColor(picture, cv2.COLOR_RGB2BGR),
        _JPEG,
    )
    cv2.imwrite(str(directory / "ids" / f"{name}.png"), ids)


def _rounded(values: dict) -> dict:
    return {k: [round(x, 4) for x in v] if isinstance(v, (list, tuple)) else v for k, v in values.items()}
