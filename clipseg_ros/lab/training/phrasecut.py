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
_LONGEST_SIDE = 65535
"""Pixels of the longest side that a JPEG file can have; no annotation is farther away."""


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
        image = read_image(self._images / f"{task.image_id}.jpg", as_stored=True)  # as the annotations count its pixels
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
        image_id, phrase = fields["image_id"], fields["phrase"]
        nested = [polygon for instance in _list(fields["Polygons"]) for polygon in _list(instance)]
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path} holds an entry without PhraseCut's image_id, phrase and Polygons ({error!r})."
        ) from error
    where = f"{path}, phrase {str(phrase)[:40]!r} of image {str(image_id)[:40]}"
    if type(image_id) is not int or not isinstance(phrase, str) or not phrase.strip():
        raise ValueError(f"{where}: image_id must be a whole number and phrase a text that is not empty.")
    return _Task(image_id, phrase, [_polygon(polygon, where) for polygon in nested])


def _list(value: object) -> list:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:40]} is no list")
    return value


def _polygon(points: object, where: str) -> np.ndarray:
    """(N, 2) float32 x, y in pixels; ValueError for a nesting or numbers that no polygon has."""
    try:
        array = np.asarray(points, np.float32)
    except (TypeError, ValueError):
        array = np.empty(0)
    if isinstance(points, list) and not points:
        return np.empty((0, 2), np.float32)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(
            f"{where}: Polygons holds {str(points)[:60]} for a polygon; it must be a list of points [x, y], in a list "
            "for every instance."
        )
    if not (np.abs(array) <= _LONGEST_SIDE).all():  # NaN is not, either
        wrong = array[~(np.abs(array) <= _LONGEST_SIDE)][0]
        raise ValueError(
            f"{where}: a polygon has the coordinate {wrong:g}; it must be a number of pixels, at most {_LONGEST_SIDE}."
        )
    return array


def _annotated_sizes(path: Path) -> dict[int, tuple[int, int]]:
    """Image id -> (height, width); empty without the file."""
    if not path.is_file():
        return {}
    sizes = {}
    for entry in _entries(path):
        numbers = [entry.get(key) if isinstance(entry, dict) else None for key in ("image_id", "height", "width")]
        whole = all(type(number) is int for number in numbers)
        if not whole or not all(0 < side <= _LONGEST_SIDE for side in numbers[1:]):
            raise ValueError(
                f"{path} holds the entry {str(entry)[:60]}; image_id, height and width must be whole numbers, the "
                f"sides from 1 to {_LONGEST_SIDE} pixels."
            )
        sizes[numbers[0]] = (numbers[1], numbers[2])
    return sizes
