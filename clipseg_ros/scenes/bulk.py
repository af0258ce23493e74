# SPDX-License-Identifier: Apache-2.0
"""Many scenes rendered to disk for training: small, quick to decode, safe to read meanwhile.

Format of a directory (`python -m clipseg_ros.scenes.bulk DIR --count N [--seed S] [--held-out]`):

    scenes.jsonl        one object a line, written after its files:
        {"image": "images/000123.jpg", "ids": "ids/000123.png", "seed": 123, "stock": 0,
         "objects": [{"id": 1, "category": "cup", "colour": "red" | null, "model": "shape/mug",
                      "size": [w, d, h] metres, "centroid": [x, y, z] camera optical frame, metres,
                      "pixels": at 470 x 352, "visible": 0..1, "nameable": bool, "held_out": bool,
                      "pose": [x, y, yaw]}, ...]}
    images/000123.jpg   RGB, 352 x 352 squashed from a 4:3 camera of 470 x 352,
                        JPEG of quality 95 without chroma subsampling
    ids/000123.png      8-bit, 352 x 352: the object's id at every pixel, 0 where there is none

Objects with "nameable": false are in the ids, but too small or too hidden to be asked for; they are no
negatives either (phrases.sample_phrases knows). A new stock of objects is drawn every SCENES_PER_STOCK
scenes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2

from clipseg_ros.scenes.home import Home
from clipseg_ros.scenes.scene import Scene

WIDTH, HEIGHT, SIDE = 470, 352, 352
SCENES_PER_STOCK = 200


def render_to_disk(directory: str | Path, count: int, *, seed: int = 0, held_out: bool = False) -> None:
    """Write `count` scenes; scenes that the index has already are kept, so an interrupted run goes on."""
    if not 0 <= seed < 90:
        raise ValueError(f"the seed is {seed}; it must be 0 to 89: the ones above belong to live scenes and to evaluation")
    directory = Path(directory)
    _prepare(directory)
    index = directory / "scenes.jsonl"
    done = (
        {Path(json.loads(line)["image"]).stem for line in index.read_text().splitlines()}
        if index.is_file()
        else set()
    )
    home, stock = None, None
    with index.open("a", encoding="utf-8") as lines:
        for number in range(count):
            name = f"{number:06d}"
            if name in done:
                continue
            wanted = seed * 10_000 + number // SCENES_PER_STOCK
            if wanted != stock:
                if home is not None:
                    home.close()
                home, stock = Home(wanted, held_out=held_out, width=WIDTH, height=HEIGHT), wanted
            scene = home.scene(seed * 10_000_000 + number)
            if not any(o.nameable for o in scene.objects):
                continue
            _write(directory, name, scene)
            lines.write(
                json.dumps(
                    {
                        "image": f"images/{name}.jpg",
                        "ids": f"ids/{name}.png",
                        "seed": scene.seed,
                        "stock": stock,
                        "objects": [_rounded(o.to_dict()) for o in scene.objects],
                    }
                )
                + "\n"
            )
            lines.flush()
    if home is not None:
        home.close()


def _prepare(directory: Path) -> None:
    for name in ("images", "ids"):
        (directory / name).mkdir(parents=True, exist_ok=True)


def _write(directory: Path, name: str, scene: Scene) -> None:
    picture = cv2.resize(scene.rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    ids = cv2.resize(scene.ids, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    cv2.imwrite(
        str(directory / "images" / f"{name}.jpg"),
        cv2.cvtColor(picture, cv2.COLOR_RGB2BGR),
        [
            cv2.IMWRITE_JPEG_QUALITY,
            95,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ],
    )
    cv2.imwrite(str(directory / "ids" / f"{name}.png"), ids)


def _rounded(values: dict) -> dict:
    return {k: [round(x, 4) for x in v] if isinstance(v, (list, tuple)) else v for k, v in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Render scenes of the simulated home to disk for training.")
    parser.add_argument("directory")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", action="store_true", help="only object models that training never sees")
    args = parser.parse_args()
    render_to_disk(args.directory, args.count, seed=args.seed, held_out=args.held_out)


if __name__ == "__main__":
    main()
