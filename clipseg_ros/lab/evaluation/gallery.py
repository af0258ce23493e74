# SPDX-License-Identifier: Apache-2.0
"""The best and the worst cases of an evaluation, kept as pictures while it runs."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from clipseg_ros.lab.evaluation.pictures import Picture, Question
from clipseg_ros.lab.evaluation.run import Case

WIDTH = 300
_TRUTH, _FOUND = (40, 220, 60), (255, 40, 40)


class Shown(NamedTuple):
    """A case and its picture as JPEG."""

    rank: float
    case: Case
    jpeg: bytes


class Gallery:
    """Keeps the best and the worst cases of each type while an evaluation runs: pass `offer` as `on_case`.

    Present prompts are ranked by IoU, absent ones by how little is found. Pictures are made only for cases
    that enter, so memory and time stay small.
    """

    def __init__(self, each: int = 6, *, threshold: float = 0.5) -> None:
        """Keep `each` best and `each` worst; outlines are drawn at `threshold`."""
        if each < 1:
            raise ValueError(f"The gallery keeps {each} cases; it must keep at least 1.")
        self._each, self._threshold = each, threshold
        self._best: dict[str, list[Shown]] = {}
        self._worst: dict[str, list[Shown]] = {}

    def offer(self, case: Case, picture: Picture, question: Question, probability: np.ndarray) -> None:
        """Look at one case; `probability` is (H, W)."""
        rank = -case.found_share if case.iou is None else case.iou
        shown = None
        for kept, sign in ((self._best, 1), (self._worst, -1)):
            entries = kept.setdefault(case.type, [])
            if len(entries) == self._each and sign * rank <= sign * entries[-1].rank:
                continue
            shown = shown or Shown(rank, case, draw(picture, question, probability, self._threshold))
            entries.append(shown)
            entries.sort(key=lambda entry: -sign * entry.rank)
            del entries[self._each :]

    def best(self, kind: str) -> list[Shown]:
        """Return the best cases of a type of prompt, the best first."""
        return self._best.get(kind, [])

    def worst(self, kind: str) -> list[Shown]:
        """Return the worst cases of a type of prompt that are not among the best, the worst first."""
        best = self.best(kind)
        return [shown for shown in self._worst.get(kind, []) if not any(shown is other for other in best)]


def draw(picture: Picture, question: Question, probability: np.ndarray, threshold: float) -> bytes:
    """Return a JPEG: picture with the true outline, probability with its own, a visual prompt's example."""
    image, small = _small(picture.image), _small(np.ascontiguousarray(probability, np.float32))
    dimmed = (image * (0.15 + 0.85 * small[..., None])).astype(np.uint8)
    panels = [
        _outlined(image, _small(question.mask.astype(np.float32)) >= 0.5, _TRUTH),
        _outlined(dimmed, small >= threshold, _FOUND),
    ]
    if question.support is not None:
        panels.append(_example(*question.support, height=len(image)))
    side_by_side = cv2.cvtColor(np.hstack(panels), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", side_by_side, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def _example(image: np.ndarray, mask: np.ndarray | None, *, height: int) -> np.ndarray:
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    example = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if mask is None:
        return example
    return _outlined(example, cv2.resize(mask.astype(np.uint8), (width, height)) > 0, _TRUTH)


def _small(array: np.ndarray) -> np.ndarray:
    """Resize to WIDTH pixels across."""
    height = max(1, round(array.shape[0] * WIDTH / array.shape[1]))
    return cv2.resize(array, (WIDTH, height), interpolation=cv2.INTER_AREA)


def _outlined(image: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(image.copy(), contours, -1, colour, 2, cv2.LINE_AA)
