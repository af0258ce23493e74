# SPDX-License-Identifier: Apache-2.0
"""What is evaluated: pictures with the prompts that are asked about them, from memory or from a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipseg_ros.lab.datasets.folder import Sample, read_folder, read_scenes
from clipseg_ros.lab.datasets.image_files import read_grey


@dataclass(frozen=True)
class Question:
    """One prompt and its ground truth, `mask` (H, W) bool: all False where there is nothing to find.

    `type` is one of the folder format's TYPES. A "visual" question is asked with `support`, an image
    (h, w, 3) uint8 RGB and its mask (h, w) bool or None; all others with `phrase`. `alpha` (H, W) float32 in
    [0, 1] is the true opacity where it is known better than by the mask.
    """

    phrase: str
    type: str
    mask: np.ndarray
    category: str | None = None
    support: tuple[np.ndarray, np.ndarray | None] | None = None
    alpha: np.ndarray | None = None


@dataclass(frozen=True)
class Picture:
    """An image (H, W, 3) uint8 RGB, its questions, and the instances of its objects where they are known.

    `ids` (H, W) holds the number of the object at each pixel, 0 for none; `objects` says which numbers are
    objects (None: all but 0).
    """

    name: str
    image: np.ndarray
    questions: tuple[Question, ...]
    ids: np.ndarray | None = None
    objects: tuple[int, ...] | None = None


class FolderPictures:
    """The pictures of a folder (see `datasets/folder.py`), read one at a time, each with all its prompts."""

    def __init__(self, directory: str | Path, *, limit: int | None = None, alpha: bool = False) -> None:
        """Check the folder; keep the first `limit` pictures; with `alpha` read masks as opacities, too."""
        if limit is not None and limit < 1:
            raise ValueError(f"The limit is {limit}; it must be at least 1 picture.")
        groups: dict[Path, list[Sample]] = {}
        for sample in read_folder(directory):
            groups.setdefault(sample.image_path, []).append(sample)
        self._groups = list(groups.items())[:limit]
        self._scenes = read_scenes(directory)
        self._root = Path(directory).resolve()
        self._alpha = alpha

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[Picture]:
        for path, samples in self._groups:
            image = samples[0].load_image()
            ids, objects = self._instances(path, image.shape[:2])
            questions = tuple(self._question(sample, image.shape[:2]) for sample in samples)
            yield Picture(path.relative_to(self._root).as_posix(), image, questions, ids, objects)

    def _question(self, sample: Sample, shape: tuple[int, int]) -> Question:
        return Question(
            phrase=sample.phrase or "(picture)",
            type=sample.type,
            mask=sample.load_mask(shape),
            category=sample.category,
            support=sample.load_visual() if sample.type == "visual" else None,
            alpha=sample.load_alpha(shape) if self._alpha else None,
        )

    def _instances(
        self, path: Path, shape: tuple[int, int]
    ) -> tuple[np.ndarray | None, tuple[int, ...] | None]:
        scene = self._scenes.get(path, {})
        if "ids" not in scene:
            return None, None
        ids = read_grey(scene["ids"])
        if ids.shape != shape:
            raise ValueError(f"{scene['ids']} has the shape {ids.shape}, but its image {shape}.")
        listed = scene.get("objects")
        if listed is None:
            return ids, None
        return ids, tuple(int(entry["id"]) for entry in listed if entry.get("nameable", True))
