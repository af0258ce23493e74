# SPDX-License-Identifier: Apache-2.0
"""PhraseCut (Wu et al., CVPR 2020), read from its own annotation files.

DIR/refer_train.json              list of {"image_id", "phrase", "Polygons", ...},
                                  "Polygons"[instance][polygon][point] = [x, y] in pixels
DIR/image_data_split3000.json     optional, list of {"image_id", "width", "height", ...}: the annotated sizes
DIR/images/IMAGE_ID.jpg
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Sequence

import cv2
import numpy as np

from clipseg_ros.lab.datasets.image_files import read_image
from clipseg_ros.lab.training.pairs import Example, other_than

_SUBPIXEL_BITS = 4


class _Task(NamedTuple):
    image_id: int
    phrase: str
    polygons: list[np.ndarray]


class PhraseCutPairs:
    """Phrases and regions of one split ("train", "val", "test", "miniv").

    Raises FileNotFoundError for missing files, ValueError for a file that is not of the format.
    """

    def __init__(self, directory: str | Path, split: str = "train") -> None:
        root = Path(directory)
        self._images = root / "images"
        path = root / f"refer_{split}.json"
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}; PhraseCut's annotations and its folder images/ are needed.")
        self._tasks = [_task(fields, path) for fields in _entries(path)]
        if not self._tasks:
            raise ValueError(f"{path} lists no phrases.")
        self._sizes = _annotated_sizes(root / "image_data_split3000.json")
        self._alike: dict[str, list[int]] = defaultdict(list)
        for number, task in enumerate(self._tasks):
            self._alike[task.phrase].append(number)

    def __len__(self) -> int:
        return len(self._tasks)

    def phrase(self, number: int) -> str:
        """The phrase of a task."""
        return self._tasks[number].phrase

    def kind(self, number: int) -> str:
        """Every phrase of PhraseCut counts as a noun."""
        return "noun"

    def picture(self, number: int) -> int:
        """PhraseCut's number of its picture."""
        return self._tasks[number].image_id

    def load(self, number: int) -> Example:
        """Its picture and the union of its polygons; a picture of another size than annotated has them scaled."""
        task = self._tasks[number]
        image = read_image(self._images / f"{task.image_id}.jpg")
        shape = image.shape[:2]
        mask = polygon_mask(task.polygons, self._sizes.get(task.image_id, shape))
        if mask.shape != shape:
            mask = cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        return Example(image, mask)

    def support(self, number: int, rng: np.random.Generator) -> Example | None:
        """The example of another task with the same phrase, None for a phrase that comes once."""
        other = other_than(number, self._alike[self._tasks[number].phrase], rng)
        return None if other is None else self.load(other)


def polygon_mask(polygons: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Union of polygons, each (N, 2) float x, y in pixels, as a mask of `shape` (H, W) bool, borders included."""
    mask = np.zeros(shape, np.uint8)
    for polygon in polygons:  # one at a time: OpenCV makes holes where the polygons of one call overlap
        points = np.rint(np.asarray(polygon, np.float64) * 2**_SUBPIXEL_BITS).astype(np.int32)
        if len(points):
            cv2.fillPoly(mask, [points], 1, shift=_SUBPIXEL_BITS)
    return mask > 0


def _entries(path: Path) -> Iterator[dict]:
    """Yield the objects of a JSON list one by one: as Python objects the whole file would take 4 GB."""
    text = path.read_text(encoding="utf-8")
    decoder = json.JSONDecoder()
    place = text.find("[") + 1
    try:
        while place > 0:
            while text[place : place + 1] in (" ", ",", "\n", "\r", "\t"):
                place += 1
            if text[place : place + 1] == "]":
                return
            entry, place = decoder.raw_decode(text, place)
            yield entry
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not the JSON list of PhraseCut's annotations ({error}).") from error
    raise ValueError(f"{path} is not the JSON list of PhraseCut's annotations.")


def _task(fields: dict, path: Path) -> _Task:
    try:
        polygons = [
            np.asarray(polygon, np.float32).reshape(-1, 2) for instance in fields["Polygons"] for polygon in instance
        ]
        return _Task(int(fields["image_id"]), str(fields["phrase"]), polygons)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} holds an entry without PhraseCut's image_id, phrase and Polygons ({error!r})."
        ) from error


def _annotated_sizes(path: Path) -> dict[int, tuple[int, int]]:
    """Image id -> (height, width); empty without the file."""
    if not path.is_file():
        return {}
    return {int(entry["image_id"]): (int(entry["height"]), int(entry["width"])) for entry in _entries(path)}
