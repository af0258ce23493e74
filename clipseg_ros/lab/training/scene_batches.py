# SPDX-License-Identifier: Apache-2.0
"""Batches from packed scenes: cut, light and prompt them while training, from nothing but pictures and id images."""
from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Callable, Sequence

import cv2
import numpy as np
import torch

from clipseg_ros.clipseg.prompts import engineer_visual_prompt
from clipseg_ros.lab.scenes.vocabulary import CATEGORIES, COLOURS
from clipseg_ros.lab.training.augment import AugmentConfig, relight, zoom_window
from clipseg_ros.lab.training.batch import Batch, PromptTable, stack_pictures
from clipseg_ros.lab.training.home_stream import HomeStream
from clipseg_ros.lab.training.scene_prompts import PromptMix, draw_prompts, may_be_called
from clipseg_ros.lab.training.scene_store import ScenePart, SceneStore, StoredObject
from clipseg_ros.lab.training.schedule import value_at

CLASSES = tuple(CATEGORIES)
_CLASS_NUMBER = {name: number for number, name in enumerate(CLASSES, start=1)}
_COLOUR_NUMBER = {name: number for number, name in enumerate(COLOURS, start=1)}


@dataclass(frozen=True)
class SceneBatchConfig:
    """How scenes become batches.

    Attributes
    ----------
    side : pictures as the network gets them, pixels
    prompts : per picture, 0 = auxiliary losses alone.
        Each is a number, or a list of [progress, number], ascending: from there on
    supports : support pictures per batch, 0 = no visual prompts
    support_side : their side, pixels, as `side`
    visual_prompts : of each picture's prompts, how many are a support picture
    zoom : range of enlargement: 1 = the whole picture, 2 = half of its width and height
    stretch : change of aspect ratio
    whole : share of the pictures taken whole instead
    support_stretch : support pictures are made wider by up to this share: scenes are packed squashed, examples come as
        they are
    """

    side: int | list = 256
    batch_size: int = 16
    prompts: int | list = 7
    supports: int = 4
    support_side: int | list | None = None
    visual_prompts: int = 1
    zoom: list = field(default_factory=lambda: [1.0, 2.0])
    stretch: float = 0.0
    whole: float = 0.0
    support_stretch: float = 0.0
    mix: PromptMix = PromptMix()

    def at(self, progress: float) -> SceneBatchConfig:
        """The configuration at `progress` of the run, with plain numbers."""
        side = int(value_at(self.side, progress))
        support_side = side if self.support_side is None else int(value_at(self.support_side, progress))
        return replace(self, side=side, support_side=support_side, prompts=int(value_at(self.prompts, progress)))


class SceneBatches(torch.utils.data.Dataset):
    """Batch number i is a function of (seed, i) and of the run's progress alone, so a resumed run goes on as it would.

    Parameters
    ----------
    store : packed scenes, or scenes that are rendered while training
    progress : called with the batch number, returns how far the run is, 0 to 1
    patch_size : of the network, for the labels of patches
    """

    def __init__(self, store: SceneStore | HomeStream, config: SceneBatchConfig, *, patch_size: int, seed: int = 0,
                 augment: AugmentConfig = AugmentConfig(), progress: Callable[[int], float] | None = None) -> None:
        self._store = store
        self._config = config
        self._patch = patch_size
        self._seed = seed
        self._augment = augment
        self._progress = progress
        unknown = sorted(set(store.categories) - set(CLASSES))
        if unknown:
            raise ValueError(f"the scenes hold {unknown[0]!r}, which is no category of the simulated home.")

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng((self._seed, index))
        config = self._config.at(self._progress(index) if self._progress else 0.0)
        side = config.side
        views = [self._cut(view, side, rng) for view in self._store.pick(index, config.batch_size, rng)]
        supports = self._supports(config.support_side, rng) if config.visual_prompts else []
        table = PromptTable(config.batch_size, config.prompts)
        masks = np.zeros((config.batch_size, config.prompts, side, side), np.uint8)
        for number, (_, ids, objects) in enumerate(views):
            visual = min(config.visual_prompts, config.prompts) if supports else 0
            phrases = draw_prompts(objects, ids, config.prompts - visual, rng, config.mix)
            for place, phrase in enumerate(phrases):
                table.add(number, place, kind=phrase.type, text=phrase.text)
                masks[number, place] = mask_of(ids, phrase.ids)
            for place in range(len(phrases), config.prompts):
                chosen, answer = _choose_support(ids, objects, [category for category, _ in supports], rng)
                table.add(number, place, kind="visual", text=None, support=chosen)
                masks[number, place] = mask_of(ids, answer)
        return Batch(
            pixels=stack_pictures([image for image, _, _ in views]), masks=torch.from_numpy(masks), texts=table.texts,
            ids=torch.from_numpy(np.stack([ids for _, ids, _ in views])),
            supports=stack_pictures([picture for _, picture in supports], config.support_side), **table.tensors(),
            class_texts=[_name(category, rng) for category in CLASSES],
            support_class=torch.tensor([_CLASS_NUMBER[category] for category, _ in supports], dtype=torch.int64),
            patch_class=self._patch_labels(views, lambda item: _CLASS_NUMBER[item.category]),
            patch_colour=self._patch_labels(views, lambda item: _COLOUR_NUMBER.get(item.colour, -1)))

    def _cut(self, view: ScenePart, side: int, rng: np.random.Generator) -> ScenePart:
        """Cut, flip and light a scene to `side` x `side` pixels."""
        image, ids, objects = view
        if rng.random() >= self._config.whole:
            window = zoom_window(ids.shape, rng, zoom=self._config.zoom, stretch=self._config.stretch,
                                 focus=_random_point(ids, objects, rng))
            image, ids = window.cut(image), window.cut(ids)
        if ids.shape != (side, side):
            shrinks = ids.shape[0] > side or ids.shape[1] > side
            image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
            ids = cv2.resize(ids, (side, side), interpolation=cv2.INTER_NEAREST)
        if self._augment.flip and rng.random() < 0.5:
            image, ids = image[:, ::-1], ids[:, ::-1]
        return ScenePart(relight(np.ascontiguousarray(image), rng, self._augment), np.ascontiguousarray(ids), objects)

    def _supports(self, side: int, rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
        """Draw categories and an engineered picture of an instance of each, (side, side, 3)."""
        supports = []
        for _ in range(8 * self._config.supports):
            instance = self._store.instance(rng)
            if len(supports) == self._config.supports or instance is None:
                break
            category, image, mask = instance
            if np.count_nonzero(mask) >= 0.004 * mask.size:
                picture = engineer_visual_prompt(*self._widened(image, mask, rng))
                if self._augment.flip and rng.random() < 0.5:
                    picture = picture[:, ::-1]
                picture = cv2.resize(np.ascontiguousarray(picture), (side, side), interpolation=cv2.INTER_LINEAR)
                supports.append((category, relight(picture, rng, self._augment)))
        return supports

    def _widened(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A picture and its mask, wider by up to `support_stretch`."""
        height, width = mask.shape
        size = (round(width * (1.0 + rng.uniform(0.0, self._config.support_stretch))), height)
        wide = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        return cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_LINEAR), wide

    def _patch_labels(self, views, label) -> torch.Tensor:
        return torch.from_numpy(np.stack([patch_labels(ids, {item.id: label(item) for item in objects}, self._patch)
                                          for _, ids, objects in views]))


def mask_of(ids: np.ndarray, numbers: tuple[int, ...]) -> np.ndarray:
    """Where `ids` (h, w) uint8 is one of `numbers`: (h, w) uint8, 0 or 1."""
    table = np.zeros(256, np.uint8)
    table[list(numbers)] = 1
    return cv2.LUT(ids, table)


def patch_labels(ids: np.ndarray, labels: dict[int, int], patch: int) -> np.ndarray:
    """Label of each patch, (rows, cols) int64: what fills at least 60% of it, 0 = background, -1 = neither.

    Parameters
    ----------
    ids : (h, w) uint8
    labels : object number -> label, -1 = not known
    """
    rows, cols = ids.shape[0] // patch, ids.shape[1] // patch
    blocks = ids[:rows * patch, :cols * patch].reshape(rows, patch, cols, patch)
    result = np.full((rows, cols), -1, np.int64)
    by_label = defaultdict(list)
    for number in np.unique(ids):
        by_label[labels.get(int(number), 0)].append(number)
    for label, numbers in by_label.items():
        inside = np.isin(blocks, numbers) if len(numbers) > 1 else blocks == numbers[0]
        share = inside.mean(axis=(1, 3))
        result[share >= 0.6] = label
    return result


def _name(category: str, rng: np.random.Generator) -> str:
    """The category's name, or a synonym one time out of four."""
    synonyms = CATEGORIES[category].synonyms
    return synonyms[int(rng.integers(len(synonyms)))] if synonyms and rng.random() < 0.25 else category


def _random_point(ids: np.ndarray, objects, rng: np.random.Generator) -> tuple[float, float] | None:
    """A pixel (x, y) of a random object, three times out of four; otherwise None."""
    if not objects or rng.random() < 0.25:
        return None
    rows, columns = np.nonzero(ids == objects[int(rng.integers(len(objects)))].id)
    if not len(rows):
        return None
    chosen = int(rng.integers(len(rows)))
    return float(columns[chosen]), float(rows[chosen])


def _choose_support(ids: np.ndarray, objects: Sequence[StoredObject], categories: list[str],
                    rng: np.random.Generator) -> tuple[int, tuple[int, ...]]:
    """Choose a support picture by its place in `categories`, two times out of three one of something in the picture.

    Returns its place and the ids of the objects that are the answer.
    """
    pixels = np.bincount(ids.ravel(), minlength=256)
    shown = [item for item in objects if pixels[item.id]]
    clear = {item.category for item in shown if item.nameable and pixels[item.id] >= 0.003 * ids.size}
    called = may_be_called(shown)
    present = [place for place, category in enumerate(categories) if category in clear]
    absent = [place for place, category in enumerate(categories) if category not in called]
    options = present if present and (not absent or rng.random() < 0.67) else absent
    place = int(rng.choice(options or len(categories)))
    return place, tuple(item.id for item in shown if item.category == categories[place])
