# SPDX-License-Identifier: Apache-2.0
"""What a memory answers after a tour through a room of the simulated home, against what was there to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.lab.evaluation.objects import SAME
from clipseg_ros.lab.scenes.scene import Scene, SceneObject
from clipseg_ros.lab.scenes.vocabulary import AFFORDANCES, CATEGORIES, CONFUSABLE
from clipseg_ros.memory import Memory, RecalledObject
from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.regions import Region

Key = tuple[str, tuple[float, float, float]]
"""Names a thing in all frames: its model, and where it stands."""
AT = 0.12
"""Metres within which a recalled thing is at a place."""


def key_of(thing: SceneObject) -> Key:
    """The name of a thing."""
    return thing.model, thing.pose


def camera_of(scene: Scene) -> Pinhole:
    """That took the picture."""
    k, (height, width) = scene.k, scene.ids.shape
    return Pinhole(k[0, 0], k[1, 1], k[0, 2], k[1, 2], (width, height))


@dataclass(frozen=True)
class Question:
    """What is asked after a tour, and the categories of the things that are the answer; none for what is not there."""

    text: str
    type: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tour:
    """The frames of a tour; everything that is known of them is the truth.

    poses : (4, 4) of each frame, as the memory is told them
    """

    scenes: Sequence[Scene]
    poses: Sequence[np.ndarray]

    @cached_property
    def things(self) -> dict[Key, SceneObject]:
        """All things that a frame showed a pixel of, as seen in the frame with most of their pixels."""
        seen: dict[Key, SceneObject] = {}
        for scene in self.scenes:
            for thing in scene.objects:
                known = seen.get(key_of(thing))
                if known is None or (thing.nameable, thing.pixels) > (known.nameable, known.pixels):
                    seen[key_of(thing)] = thing
        return seen

    def meant(self, question: Question) -> dict[Key, SceneObject]:
        """The things that are the answer."""
        return {key: thing for key, thing in self.things.items() if thing.category in question.categories}

    def best_view(self, question: Question) -> int:
        """The frame that shows a thing that is meant best."""
        return max(range(len(self.scenes)), key=lambda index: max(
            ((thing.nameable, thing.pixels * thing.visible ** 2) for thing in self.scenes[index].objects
             if thing.category in question.categories), default=(False, 0)))

    def questions(self, absent: int, rng: np.random.Generator) -> list[Question]:
        """Nouns and affordances of what was seen well, and so many each of what was not seen at all."""
        there = {thing.category for thing in self.things.values()}
        named = {thing.category for thing in self.things.values() if thing.nameable}
        near = there | {two for pair in CONFUSABLE for two in pair if there & {*pair}}
        asked = [Question(name, "noun", (name,)) for name in sorted(named)]
        asked += [Question(text, "affordance", one.categories) for text, one in AFFORDANCES.items()
                  if named & {*one.categories} and not there & {*one.maybe}]
        nouns = [Question(name, "absent") for name in CATEGORIES if name not in near]
        uses = [Question(text, "absent") for text, one in AFFORDANCES.items()
                if not there & {*one.categories, *one.maybe}]
        for some in (nouns, uses):
            asked += [some[index] for index in rng.permutation(len(some))[:absent]]
        return asked


class TrueMasks:
    """Answers a memory in the network's place with the true masks; prompts are the texts of questions."""

    threshold, fingerprint, features_shape = 0.5, "the truth", (1, 1, 1)

    def __init__(self, scenes: Sequence[Scene], questions: Sequence[Question]) -> None:
        self._scenes = scenes
        self._numbers = {id(scene.rgb): number for number, scene in enumerate(scenes)}
        self._meant = {question.text: question.categories for question in questions}

    def check(self, prompts: Sequence) -> None:
        """Every question can be answered."""

    def features(self, image: np.ndarray, *, camera: str = "") -> np.ndarray:
        """(1, 1, 1) float16: the number of the frame."""
        return np.full(self.features_shape, self._numbers[id(image)], np.float16)

    def maps_of(self, features: Sequence[np.ndarray], prompts: Sequence, thresholds: Sequence[float], *,
                sizes: Sequence[tuple[int, int]]) -> list[Maps]:
        """The masks as maps of 0 and 1."""
        return [self._maps(self._scenes[int(one[0, 0, 0])], prompts, tuple(thresholds), size)
                for one, size in zip(features, sizes)]

    def _maps(self, scene: Scene, prompts: Sequence, thresholds: tuple[float, ...], size: tuple[int, int]) -> Maps:
        ids = resampled(scene.ids, size)
        meant = [[thing.id for thing in scene.objects if thing.category in self._meant[prompt.text]]
                 for prompt in prompts]
        return Maps(np.stack([np.isin(ids, some) for some in meant]).astype(np.float32), thresholds)


def resampled(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w): every so manieth pixel of ids (H, W)."""
    rows, columns = (((np.arange(small) + 0.5) * large / small).astype(int) for small, large in zip(size, ids.shape))
    return ids[rows[:, None], columns]


def shown(region: Region, ids: np.ndarray, things: Sequence[SceneObject]) -> SceneObject | None:
    """The thing that a region shows, at an intersection over union of `SAME`; ids (h, w) of the region's picture."""
    x, y, width, height = region.roi
    inside = np.bincount(ids[y:y + height, x:x + width][region.mask > 0], minlength=256)
    pixels = np.bincount(ids.ravel(), minlength=256)
    overlaps = {thing: inside[thing.id] / max(region.area + pixels[thing.id] - inside[thing.id], 1) for thing in things}
    best = max(overlaps, key=overlaps.get, default=None)
    return best if best is not None and overlaps[best] >= SAME else None


@dataclass
class Figures:
    """Sums over questions.

    right, wrong, missed : recalled things that are a meant one, each counted once; others; meant ones that were not
        recalled
    first, first_direct, asked : questions whose best answer is right, out of memory and in the best view alone; all of
        those with an answer
    silent, absent : questions for what is not there that got no answer; all of those
    errors : metres between the recalled and the true places of the right ones
    """

    right: int = 0
    wrong: int = 0
    missed: int = 0
    first: int = 0
    first_direct: int = 0
    asked: int = 0
    silent: int = 0
    absent: int = 0
    errors: list[float] = field(default_factory=list)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of the things, 0 to 1."""
        return 2 * self.right / max(2 * self.right + self.wrong + self.missed, 1)


def judge(tour: Tour, question: Question, recalled: Sequence[RecalledObject], figures: Figures) -> None:
    """Add what was recalled for one question, best first, to the figures.

    Things that no frame shows well need not be recalled, and one that is counts as neither right nor wrong.
    """
    if not question.categories:
        figures.absent += 1
        figures.silent += not recalled
        return
    meant, given, first = tour.meant(question), set(), None
    wanted = {key for key, thing in meant.items() if thing.nameable}
    for one in recalled:
        scene = tour.scenes[int(one.view.stamp)]
        things = [thing for thing in scene.objects if key_of(thing) in meant]
        thing = shown(one.found.region, resampled(scene.ids, one.view.size), things)
        key = None if thing is None else key_of(thing)
        is_right = key in wanted and key not in given
        first = is_right if first is None else first
        figures.right += is_right
        figures.wrong += thing is None or key in given
        given.add(key)
        if is_right and one.found.pose is not None:
            true = scene.camera_pose[:3, :3] @ thing.centroid + scene.camera_pose[:3, 3]
            figures.errors.append(float(np.linalg.norm(one.found.pose.position - true)))
    figures.missed += len(wanted - given)
    figures.asked += 1
    figures.first += bool(first)


def is_first_directly(tour: Tour, question: Question, segmenter: Segmenter) -> bool:
    """Whether the best object in the frame that shows a meant thing best is right, without any memory."""
    scene = tour.scenes[tour.best_view(question)]
    found = segmenter.find(scene.rgb, question.text, depth=scene.depth, camera=camera_of(scene))
    wanted = [thing for thing in scene.objects if thing.category in question.categories and thing.nameable]
    return bool(found) and shown(found[0].region, scene.ids, wanted) is not None


def remembered(tour: Tour, network: Segmenter | TrueMasks) -> Memory:
    """A memory that was on the tour, a frame a second from 0 on."""
    memory = Memory(network)
    for stamp, (scene, pose) in enumerate(zip(tour.scenes, tour.poses)):
        memory.add(scene.rgb, pose=pose, depth=scene.depth, camera=camera_of(scene), stamp=stamp)
    return memory


def answers(memory: Memory, questions: Sequence[Question]) -> list[list[RecalledObject]]:
    """What is recalled for each question."""
    found = memory.recall([question.text for question in questions])
    return [[one for one in found if one.prompt_index == index] for index in range(len(questions))]


def is_moved(recalled: Sequence[RecalledObject], before: Sequence[float], after: Sequence[float],
             others: Sequence[Sequence[float]]) -> tuple[bool, bool]:
    """Whether a thing is recalled where it is now, and where it was; places (x, y), also of `others` of its kind."""
    places = np.array([after, before, *others])
    positions = [one.found.pose.position[:2] for one in recalled if one.found.pose is not None]
    apart = np.linalg.norm(np.array(positions).reshape(-1, 1, 2) - places, axis=2)
    nearest = [int(row.argmin()) for row in apart if row.min() <= AT]
    return 0 in nearest, 1 in nearest
