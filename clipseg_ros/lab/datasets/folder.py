# SPDX-License-Identifier: Apache-2.0
"""The folder format: images, masks and the phrases that belong together.

    DIR/prompts.jsonl     one JSON object a line, paths relative to DIR:
        {"image": "images/000000.png",      the picture
         "mask": "masks/000000_00.png",     8-bit PNG, nonzero = object; null = nothing to find (empty mask)
         "phrase": "the red cup",
         "type": "colour",                  one of TYPES; left out: "noun", or "absent" where mask is null
         "category": "cup",                 optional: the class that mean IoU averages over (else the phrase)
         "visual_image": "visual/000000.png",      optional: a support image
         "visual_mask": "visual/000000_mask.png"}  and the mask of the object in it
    DIR/scenes.jsonl      optional, one object per image with at least "image", and "ids" (8-bit PNG of
                          instance ids, 0 = none), "depth" (16-bit PNG, mm) and "objects" ([{"id": 1}, ...]);
                          for a memory also "camera_pose" (4, 4: optical frame to fixed frame), "K" (3, 3), "stamp" (s)

Keys that are not listed here are left alone. No path may lead out of DIR, neither by ".." nor by a link.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from clipseg_ros.clipseg.whole_files import append
from clipseg_ros.lab.datasets.image_files import (
    read_cut_out,
    read_grey,
    read_image,
    read_mask,
    write_image,
    write_png,
)

TYPES = ("noun", "colour", "affordance", "place", "absent", "visual")
PROMPTS_FILE = "prompts.jsonl"
SCENES_FILE = "scenes.jsonl"


@dataclass(frozen=True)
class Sample:
    """One phrase for one image, with the mask of what it refers to (None: nothing in this image)."""

    image_path: Path
    mask_path: Path | None
    phrase: str
    type: str
    visual_image: Path | None = None
    visual_mask: Path | None = None
    category: str | None = None

    def load_image(self) -> np.ndarray:
        """Return the picture, (H, W, 3) uint8 RGB."""
        return read_image(self.image_path)

    def load_mask(self, shape: tuple[int, int]) -> np.ndarray:
        """Return the ground truth, (H, W) bool, for an image of `shape` (H, W); all False without a mask."""
        if self.mask_path is None:
            return np.zeros(shape[:2], dtype=bool)
        return _of_shape(read_mask(self.mask_path), shape, self.mask_path)

    def load_alpha(self, shape: tuple[int, int]) -> np.ndarray:
        """Return the ground truth as opacity, (H, W) float32 in [0, 1]; a mask of 0s and 1s is binary."""
        if self.mask_path is None:
            return np.zeros(shape[:2], dtype=np.float32)
        grey = _of_shape(read_grey(self.mask_path), shape, self.mask_path)
        largest = 1.0 if grey.max(initial=0) <= 1 else float(np.iinfo(grey.dtype).max)
        return (grey / largest).astype(np.float32)

    def load_visual(self) -> tuple[np.ndarray, np.ndarray | None] | None:
        """Return the support image (h, w, 3) uint8 RGB and its mask (h, w) bool or None; None without one."""
        if self.visual_image is None:
            return None
        image = read_image(self.visual_image)
        if self.visual_mask is None:
            return image, read_cut_out(self.visual_image)
        return image, _of_shape(read_mask(self.visual_mask), image.shape[:2], self.visual_mask)


def read_folder(directory: str | Path) -> list[Sample]:
    """Read `prompts.jsonl` of a folder and check every line of it.

    Raises FileNotFoundError for a missing folder or file, ValueError for a line that is not of the format;
    both name the file and the line.
    """
    root = _root(directory)
    paths = _Paths(root)
    samples = [_sample(record, where, paths) for where, record in _records(root / PROMPTS_FILE)]
    if not samples:
        raise ValueError(f"{root / PROMPTS_FILE} holds no prompts; it needs at least one line.")
    return samples


def read_scenes(directory: str | Path) -> dict[Path, dict]:
    """Read `scenes.jsonl`: image path -> record ("image", "ids", "depth" as paths); {} without the file."""
    root = _root(directory)
    if not (root / SCENES_FILE).exists():
        return {}
    paths = _Paths(root)
    scenes = {}
    for where, record in _records(root / SCENES_FILE):
        record["image"] = paths.required(record, "image", where)
        for key in ("ids", "depth"):
            if record.get(key) is not None:
                record[key] = paths.required(record, key, where)
        scenes[record["image"]] = record
    return scenes


class FolderWriter:
    """Writes a folder line by line, so that an interrupted run leaves a readable one.

    with FolderWriter("home") as folder:
        image = folder.add_image(rgb)                                      # "images/000000.png"
        folder.add_prompt(image, "the red cup", "colour", mask=mask)
        support = folder.add_visual(other_rgb, other_mask)                 # may serve several prompts
        folder.add_prompt(image, "cup", "visual", mask=mask, visual=support)
        folder.add_prompt(image, "a banana", "absent")
        folder.add_scene(image, ids=ids, depth=depth, objects=[{"id": 1, "category": "cup"}])
    """

    def __init__(self, directory: str | Path, *, jpeg_quality: int | None = None, append: bool = False) -> None:
        """Open `directory` (made if missing). `jpeg_quality` 1-100 stores pictures, never masks, as JPEG.

        Raises FileExistsError if it already holds prompts, unless they are appended to, ValueError for a quality outside
        of that range.
        """
        if jpeg_quality is not None and not 1 <= jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality is {jpeg_quality}; it must be 1 to 100, or None for PNG.")
        self.directory = Path(directory)
        self._jpeg_quality = jpeg_quality
        prompts = self.directory / PROMPTS_FILE
        if prompts.exists() and not append:
            raise FileExistsError(f"{prompts} exists already; choose an empty folder.")
        self.directory.mkdir(parents=True, exist_ok=True)
        self._images = _next_number(self.directory / "images")
        self._visuals = _next_number(self.directory / "visual")
        self._masks: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, int]] = {}
        self._prompts = open(prompts, "ab", buffering=0)
        self._scenes = None

    def add_image(self, image: np.ndarray) -> str:
        """Store a picture, (H, W, 3) uint8 RGB; return its path relative to the folder."""
        image = _checked_image(image)
        suffix = ".png" if self._jpeg_quality is None else ".jpg"
        name = f"images/{self._images:06d}{suffix}"
        write_image(self.directory / name, image, jpeg_quality=self._jpeg_quality)
        self._images += 1
        self._shapes[name] = image.shape[:2]
        return name

    def add_visual(self, image: np.ndarray, mask: np.ndarray | None = None) -> tuple[str, str | None]:
        """Store a support image, (h, w, 3) uint8 RGB, and its object's mask (h, w); return both paths."""
        image = _checked_image(image)
        name = f"visual/{self._visuals:06d}.png"
        mask_name = None if mask is None else f"visual/{self._visuals:06d}_mask.png"
        if mask is not None:
            write_png(self.directory / mask_name, _checked_mask(mask, image.shape[:2]))
        write_png(self.directory / name, image)
        self._visuals += 1
        return name, mask_name

    def add_prompt(
        self,
        image: str,
        phrase: str,
        type: str,
        *,
        mask: np.ndarray | None = None,
        visual: tuple[str, str | None] | None = None,
        category: str | None = None,
    ) -> None:
        """Add a line for an image stored before; `mask` (H, W), nonzero = object; None or empty: absent."""
        if image not in self._shapes:
            raise ValueError(f"{image!r} is not an image that this writer stored; call add_image first.")
        record = {"image": image, "mask": None, "phrase": phrase, "type": type}
        if visual is not None:
            record["visual_image"], record["visual_mask"] = visual
        if category is not None:
            record["category"] = category
        present = mask is not None and _checked_mask(mask, self._shapes[image]).any()
        if present:
            number = self._masks.get(image, 0)
            record["mask"] = f"masks/{Path(image).stem}_{number:02d}.png"
        _check_fields(record, f"The prompt {phrase!r}")
        if present:
            write_png(self.directory / record["mask"], _checked_mask(mask, self._shapes[image]))
            self._masks[image] = number + 1
        _write_line(self._prompts, record)

    def add_scene(
        self, image: str, *, ids: np.ndarray | None = None, depth: np.ndarray | None = None, **fields: object
    ) -> None:
        """Add a line to `scenes.jsonl` with `ids` (H, W) uint8, `depth` (H, W) float metres and JSON fields.

        Depths are kept as whole millimetres up to 65.535 m; farther ones and NaN become 0 (unknown).
        """
        if image not in self._shapes:
            raise ValueError(f"{image!r} is not an image that this writer stored; call add_image first.")
        record: dict = {"image": image}
        if ids is not None:
            record["ids"] = f"ids/{Path(image).stem}.png"
            write_png(self.directory / record["ids"], ids)
        if depth is not None:
            record["depth"] = f"depth/{Path(image).stem}.png"
            millimetres = np.round(np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0) * 1000.0)
            valid = (millimetres > 0) & (millimetres <= 65535)
            write_png(self.directory / record["depth"], np.where(valid, millimetres, 0).astype(np.uint16))
        if self._scenes is None:
            self._scenes = open(self.directory / SCENES_FILE, "ab", buffering=0)
        _write_line(self._scenes, {**record, **fields})

    def close(self) -> None:
        """Close the files; the writer cannot be used afterwards."""
        self._prompts.close()
        if self._scenes is not None:
            self._scenes.close()

    def __enter__(self) -> FolderWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Paths:
    """Resolves paths of one folder, each once, and refuses those that are missing or lead out of it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, Path] = {}

    def required(self, record: dict, key: str, where: str) -> Path:
        text = record.get(key)
        if not isinstance(text, str) or not text or "\0" in text:
            raise ValueError(f"{where}: {key!r} is {text!r}; it must be a path relative to {self._root}.")
        if text not in self._known:
            self._known[text] = self._resolved(text, key, where)
        return self._known[text]

    def optional(self, record: dict, key: str, where: str) -> Path | None:
        return None if record.get(key) is None else self.required(record, key, where)

    def _resolved(self, text: str, key: str, where: str) -> Path:
        real = Path(os.path.realpath(self._root / text))
        if not real.is_relative_to(self._root):
            raise ValueError(f"{where}: {key!r} is {text!r}, which leads out of {self._root}.")
        if not real.is_file():
            raise FileNotFoundError(f"{where}: {key!r} is {text!r}, but {self._root} has no such file.")
        return real


def _root(directory: str | Path) -> Path:
    root = Path(os.path.realpath(directory))
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {directory}; give one that holds {PROMPTS_FILE}.")
    return root


def _records(path: Path) -> Iterator[tuple[str, dict]]:
    """Yield ("FILE, line N", object) for every line that is not blank."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no {path.name} in {path.parent}.") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text (byte {error.start}).") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{where}: this is not JSON ({error}).") from None
        if not isinstance(record, dict):
            raise ValueError(f"{where}: a line must be a JSON object, not a {type(record).__name__}.")
        yield where, record


def _sample(record: dict, where: str, paths: _Paths) -> Sample:
    if "mask" not in record:
        raise ValueError(f"{where}: 'mask' is missing; give a path, or null where there is nothing to find.")
    record.setdefault("type", "absent" if record["mask"] is None else "noun")
    _check_fields(record, where)
    return Sample(
        image_path=paths.required(record, "image", where),
        mask_path=paths.optional(record, "mask", where),
        phrase=record.get("phrase") or "",
        type=record["type"],
        visual_image=paths.optional(record, "visual_image", where),
        visual_mask=paths.optional(record, "visual_mask", where),
        category=record.get("category"),
    )


def _check_fields(record: dict, where: str) -> None:
    """Refuse fields that contradict each other or the format; paths are looked at elsewhere."""
    kind, phrase = record["type"], record.get("phrase")
    if kind not in TYPES:
        raise ValueError(f"{where}: 'type' is {kind!r}; it must be one of {', '.join(TYPES)}.")
    if not (phrase is None or isinstance(phrase, str)) or (kind != "visual" and not (phrase or "").strip()):
        raise ValueError(f"{where}: 'phrase' is {phrase!r}; it must be a text that is not empty.")
    if kind == "absent" and record["mask"] is not None:
        raise ValueError(f"{where}: an 'absent' phrase has a mask; its 'mask' must be null.")
    if kind == "visual" and record.get("visual_image") is None:
        raise ValueError(f"{where}: a 'visual' prompt needs a 'visual_image'.")
    if record.get("visual_mask") is not None and record.get("visual_image") is None:
        raise ValueError(f"{where}: 'visual_mask' is given without a 'visual_image'.")
    if not isinstance(record.get("category"), (str, type(None))):
        raise ValueError(f"{where}: 'category' is {record['category']!r}; it must be a text.")


def _of_shape(array: np.ndarray, shape: tuple[int, int], path: Path) -> np.ndarray:
    if array.shape != tuple(shape[:2]):
        (height, width), (rows, columns) = array.shape, shape[:2]
        raise ValueError(f"{path} is {width} x {height} pixels, but its image is {columns} x {rows}.")
    return array


def _checked_image(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"An image must be (H, W, 3) uint8 RGB; got {image.shape} {image.dtype}.")
    return image


def _checked_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.shape != tuple(shape):
        raise ValueError(f"A mask must have its image's shape {tuple(shape)}; got {mask.shape}.")
    return mask.astype(bool)


def _next_number(folder: Path) -> int:
    """Return one more than the highest numbered picture in `folder`, 0 for none."""
    stems = [path.stem for path in folder.glob("*") if path.stem.isdecimal()] if folder.is_dir() else []
    return 1 + max(map(int, stems), default=-1)


def _write_line(file: BinaryIO, record: dict) -> None:
    append(file, (json.dumps(record, ensure_ascii=False) + "\n").encode())
