# SPDX-License-Identifier: Apache-2.0
"""A segmenter against pictures with known answers: figures per type of prompt, and every case."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from clipseg_ros.clipseg.prompts import Prompt
from clipseg_ros.clipseg.written import PromptText
from clipseg_ros.lab.datasets.folder import TYPES
from clipseg_ros.lab.evaluation.intervals import interval_of_mean
from clipseg_ros.lab.evaluation.matting import MattingErrors, MattingMeasures, region_errors
from clipseg_ros.lab.evaluation.pictures import Picture, Question
from clipseg_ros.lab.evaluation.segmentation import (
    SegmentationMeasures,
    histograms,
    index_of,
    iou_curve,
    number,
)
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.matting import refined_alphas

EMPTY_SHARE = 0.002
"""An absent prompt is empty when less than this share of the pixels reaches the threshold."""
VISIBLE_SHARE = 0.0005
"""Objects that show less than this share of the pixels are left out when the right object is looked for."""
PRESENT = "present"
"""Row of the figures over all prompts that have something to find."""


class SegmenterLike(Protocol):
    """What is evaluated: `clipseg.Segmenter`, or anything with its `segment`."""

    def segment(self, image: np.ndarray, prompts: Sequence) -> np.ndarray:
        """Return probabilities (n, H, W) float32 in [0, 1] of n prompts (str or Prompt) in `image`."""


@dataclass(frozen=True)
class Case:
    """One prompt's outcome at the threshold; shares are of the picture's pixels.

    `iou` is None where there is nothing to find. `right` says whether the object with the highest score is
    meant, `chance` which share of the objects is; both are None where instances are not known.
    """

    picture: str
    phrase: str
    type: str
    category: str | None
    iou: float | None
    score: float
    found_share: float
    true_share: float
    right: bool | None = None
    chance: float | None = None


@dataclass
class Evaluation:
    """Figures (JSON-able) per type of prompt in the order of TYPES, then over all present ones; all cases."""

    threshold: float
    pictures: int = 0
    figures: dict[str, dict] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)


def evaluate(
    segmenter: SegmenterLike,
    pictures: Iterable[Picture],
    *,
    threshold: float = 0.5,
    matting: bool = False,
    refine_alpha: bool = False,
    on_case: Callable[[Case, Picture, Question, np.ndarray], None] | None = None,
) -> Evaluation:
    """Ask every question of every picture, a picture's all together, and measure the answers.

    `threshold` is a multiple of 0.001, the same for every prompt. `matting` adds the matting measures
    of the probability as opacity, with `refine_alpha` of the objects' masks with the picture's edges.
    `on_case` is called with each case, its picture, question and probability (H, W).
    Raises ValueError for a bad threshold, and for a prompt that the segmenter refuses, naming its picture.
    """
    evaluation, index = Evaluation(threshold), index_of(threshold)
    groups: dict[str, _Group] = {}
    for picture in pictures:
        evaluation.pictures += 1
        maps = _segment(segmenter, picture)
        alphas = maps
        if matting and refine_alpha:
            alphas = refined_alphas(Maps(maps, (threshold,) * len(maps)), picture.image)
        for question, probability, alpha in zip(picture.questions, maps, alphas):
            kind = question.type if question.mask.any() else "absent"
            histogram = histograms(probability, question.mask)
            case = _case(picture, question, probability, kind, float(iou_curve(histogram)[index]), threshold)
            errors = _matting_errors(question, alpha) if matting and kind != "absent" else None
            for name in _rows(kind):
                groups.setdefault(name, _Group()).add(case, histogram, errors, _entity(picture, question))
            evaluation.cases.append(case)
            if on_case is not None:
                on_case(case, picture, question, probability)
    for name in (*TYPES, PRESENT):
        if name in groups:
            evaluation.figures[name] = groups[name].figures(name, threshold)
    return evaluation


def right_object(
    probability: np.ndarray, mask: np.ndarray, ids: np.ndarray, objects: Sequence[int] | None = None
) -> tuple[bool, float] | None:
    """Say whether the object with the highest score is one that `mask` means, and the chance of a guess.

    An object's score is the mean of `probability` (H, W) over its pixels in `ids` (H, W); it is meant when at
    least half of them are in `mask` (H, W) bool. Objects below VISIBLE_SHARE do not take part. A tie with a
    wrong object is wrong. None where no visible object is meant.
    """
    flat = ids.ravel()
    area = np.bincount(flat)
    known = np.flatnonzero(area >= max(1.0, VISIBLE_SHARE * flat.size))
    known = known[known > 0] if objects is None else known[np.isin(known, [i for i in objects if i > 0])]
    meant = np.bincount(flat, weights=mask.ravel())[known] >= 0.5 * area[known]
    if not meant.any():
        return None
    score = np.bincount(flat, weights=probability.ravel())[known] / area[known]
    return bool(score[meant].max() > score[~meant].max(initial=-1.0)), float(meant.mean())


class _Group:
    """The measures of one row of the figures."""

    def __init__(self) -> None:
        self._measures = SegmentationMeasures()
        self._matting: MattingMeasures | None = None
        self._cases: list[Case] = []

    def add(self, case: Case, histogram: np.ndarray, errors: dict | None, entity: Hashable) -> None:
        self._cases.append(case)
        self._measures.add(histogram, category=case.category)
        if errors is not None:
            self._matting = self._matting or MattingMeasures()
            self._matting.add(errors, entity=entity)

    def figures(self, name: str, threshold: float) -> dict:
        if name == "absent":
            shares = np.array([case.found_share for case in self._cases])
            empty = float((shares < EMPTY_SHARE).mean())
            return {"prompts": len(shares), "empty": empty, "found_share": float(shares.mean()),
                    **self._intervals(empty=lambda case: case.found_share < EMPTY_SHARE)}
        figures = {"prompts": len(self._cases), **self._measures.figures(threshold),
                   **self._intervals(miou=lambda case: case.iou, right_object=lambda case: case.right)}
        rights = [case for case in self._cases if case.right is not None]
        if rights:
            figures["right_object"] = float(np.mean([case.right for case in rights]))
            figures["right_object_chance"] = float(np.mean([case.chance for case in rights]))
            figures["right_object_prompts"] = len(rights)
        if self._matting is not None:
            figures["matting"] = self._matting.figures()
        return figures

    def _intervals(self, **values: Callable[[Case], float | None]) -> dict[str, dict]:
        """"interval" of the mean of each value over the cases that have it; {} of a single picture."""
        found = {}
        for name, value in values.items():
            known = [(value(case), case.picture) for case in self._cases if value(case) is not None]
            interval = interval_of_mean(*zip(*known)) if known else None
            if interval:
                found[name] = interval
        return {"interval": found} if found else {}


def _rows(kind: str) -> tuple[str, ...]:
    return (kind,) if kind == "absent" else (kind, PRESENT)


def _segment(segmenter: SegmenterLike, picture: Picture) -> np.ndarray:
    try:
        maps = segmenter.segment(picture.image, [prompt_of(question) for question in picture.questions])
    except ValueError as error:
        raise ValueError(f"{picture.name}: {error}") from error
    expected = (len(picture.questions), *picture.image.shape[:2])
    if np.shape(maps) != expected:
        raise ValueError(f"{picture.name}: the segmenter returned {np.shape(maps)} instead of {expected}.")
    return maps


def prompt_of(question: Question) -> str | Prompt:
    """What a segmenter is asked; of a phrase such as "mug !bowl" the text with its negatives."""
    if question.type != "visual":
        parts = PromptText(question.phrase).parts
        return Prompt(parts[0], unlike=parts[1:]) if len(parts) > 1 and all(parts) else question.phrase
    if question.support is None:
        raise ValueError(f"the visual prompt {question.phrase!r} has no support image")
    return Prompt(image=question.support[0], mask=question.support[1])


def _matting_errors(question: Question, alpha: np.ndarray) -> dict[str, MattingErrors]:
    return region_errors(alpha, question.mask if question.alpha is None else question.alpha)


def _entity(picture: Picture, question: Question) -> Hashable:
    """Phrases with one mask in one picture are about one entity."""
    return picture.name, hashlib.sha256(np.packbits(question.mask)).digest()


def _case(
    picture: Picture, question: Question, probability: np.ndarray, kind: str, iou: float, threshold: float
) -> Case:
    right = None
    if picture.ids is not None and kind != "absent":
        right = right_object(probability, question.mask, picture.ids, picture.objects)
    return Case(
        picture=picture.name,
        phrase=question.phrase,
        type=kind,
        category=question.category,
        iou=None if kind == "absent" else number(iou),
        score=float(probability.max()),
        found_share=float((probability >= threshold).mean()),
        true_share=float(question.mask.mean()),
        right=None if right is None else right[0],
        chance=None if right is None else right[1],
    )
