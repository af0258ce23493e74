# SPDX-License-Identifier: Apache-2.0
"""A folder of rendered scenes, packed into two memory-mapped arrays so that reading one costs no decoding."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Sequence

import cv2
import numpy as np

from clipseg_ros.clipseg.whole_files import replacing

PACKED = "packed"


@dataclass(frozen=True)
class StoredObject:
    """What training needs to know of one object: its number in the id image and what it is.

    Attributes
    ----------
    nameable : enough of it is seen to ask for it
    centroid : (x, y, z) metres, camera optical frame
    """

    id: int
    category: str
    colour: str | None
    nameable: bool = True
    centroid: tuple[float, float, float] | None = None


class ScenePart(NamedTuple):
    """A scene or a part of it: image (h, w, 3) uint8 RGB, ids (h, w) uint8 (0 = no named object), its objects."""

    image: np.ndarray
    ids: np.ndarray
    objects: Sequence[StoredObject]


class SceneStore:
    """Pictures, id images and objects of a packed folder of scenes.

    Parameters
    ----------
    images : (N, H, W, 3) uint8 RGB
    ids : (N, H, W) uint8, 0 = no named object
    objects : N lists of StoredObject
    folder : where the arrays are mapped from; a process that gets the store opens them there instead of a copy
    """

    def __init__(
        self, images: np.ndarray, ids: np.ndarray, objects: list[list[StoredObject]], *, folder: Path | None = None
    ) -> None:
        if not len(images) == len(ids) == len(objects) or len(images) == 0:
            raise ValueError(
                f"{len(images)} pictures, {len(ids)} id images, {len(objects)} object lists: "
                "they must be as many of each, and at least one."
            )
        self.images = images
        self.ids = ids
        self.objects = objects
        self._folder = folder
        self._instances = defaultdict(list)
        for scene, listed in enumerate(objects):
            for item in listed:
                if item.nameable:
                    self._instances[item.category].append((scene, item.id))
        self.categories = sorted(self._instances)

    def __reduce__(self):
        if self._folder is not None:
            return _open_packed, (self._folder,)
        return SceneStore, (self.images, self.ids, self.objects)

    def __len__(self) -> int:
        return len(self.images)

    def pick(self, batch: int, count: int, rng: np.random.Generator) -> list[ScenePart]:
        """Return `count` random scenes, whatever the number of the `batch`."""
        return [
            ScenePart(self.images[scene], self.ids[scene], self.objects[scene])
            for scene in rng.integers(len(self), size=count)
        ]

    def instance(self, rng: np.random.Generator) -> tuple[str, np.ndarray, np.ndarray] | None:
        """A random object of a random category: category, its scene's picture, mask (H, W) bool; None without any."""
        if not self.categories:
            return None
        category = self.categories[int(rng.integers(len(self.categories)))]
        scene, number = self._instances[category][int(rng.integers(len(self._instances[category])))]
        return category, self.images[scene], self.ids[scene] == number


def pack_scenes(directory: str | Path, *, side: int | None = None) -> Path:
    """Decode every scene of `directory` once into `directory`/packed; does nothing if that is up to date.

    Pictures of another size are squashed to `side` x `side` pixels (None: to the size of the first). Returns the
    packed folder. Raises FileNotFoundError without `scenes.jsonl`, ValueError for a picture that cannot be read.
    """
    root = Path(directory)
    records = _records(root / "scenes.jsonl")
    target = root / PACKED
    first = _read(root / records[0]["image"], cv2.IMREAD_COLOR)
    height, width = (side, side) if side else first.shape[:2]
    shape = (len(records), height, width)
    if (target / "objects.json").is_file() and _shape(target / "ids.npy") == shape:
        return target
    target.mkdir(exist_ok=True)
    (target / "objects.json").unlink(missing_ok=True)
    images = np.lib.format.open_memmap(target / "images.npy", mode="w+", dtype=np.uint8, shape=(*shape, 3))
    ids = np.lib.format.open_memmap(target / "ids.npy", mode="w+", dtype=np.uint8, shape=shape)
    for number, record in enumerate(records):
        image = cv2.cvtColor(_read(root / record["image"], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        labels = _read(root / record["ids"], cv2.IMREAD_UNCHANGED)
        if image.shape[:2] != (height, width):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
        images[number], ids[number] = image, labels
    images.flush()
    ids.flush()
    with replacing(target / "objects.json") as part:
        part.write_text(json.dumps([record["objects"] for record in records]), encoding="utf-8")
    return target


def open_scenes(directory: str | Path, *, side: int | None = None) -> SceneStore:
    """Pack `directory` if needed and open it memory-mapped."""
    return _open_packed(pack_scenes(directory, side=side))


def _open_packed(folder: Path) -> SceneStore:
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    ids = np.load(folder / "ids.npy", mmap_mode="r", allow_pickle=False)
    listed = json.loads((folder / "objects.json").read_text(encoding="utf-8"))
    return SceneStore(images, ids, [[stored_object(fields) for fields in scene] for scene in listed], folder=folder)


def stored_object(fields: dict) -> StoredObject:
    """Return the StoredObject of one entry of `objects` in scenes.jsonl."""
    centroid = fields.get("centroid")
    return StoredObject(
        id=int(fields["id"]),
        category=str(fields["category"]),
        colour=fields.get("colour"),
        nameable=bool(fields.get("nameable", True)),
        centroid=tuple(centroid) if centroid else None,
    )


def _records(path: Path) -> list[dict]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}; a folder of scenes as `clipseg scenes` writes it is needed.")
    complete = path.read_text(encoding="utf-8").rpartition("\n")[0]  # a line that is being written is left for later
    records = [_record(line, path) for line in complete.splitlines() if line.strip()]
    if not records:
        raise ValueError(f"{path} lists no scenes.")
    return records


def _record(line: str, path: Path) -> dict:
    """One line of scenes.jsonl, with what training needs of it."""
    try:
        record = json.loads(line)
        for name in ("image", "ids"):
            if not isinstance(record[name], str):
                raise TypeError(f"{name} is {record[name]!r}")
        for fields in record["objects"]:
            stored_object(fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} holds a line that is no scene with image, ids and objects ({error!r}).") from error
    return record


def _read(path: Path, flags: int) -> np.ndarray:
    picture = cv2.imread(str(path), flags)
    if picture is None:
        raise ValueError(f"{path} is missing or no picture.")
    return picture


def _shape(path: Path) -> tuple[int, ...] | None:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False).shape
    except (OSError, ValueError):
        return None
