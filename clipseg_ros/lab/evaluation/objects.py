# SPDX-License-Identifier: Apache-2.0
"""Objects that were found against those that are meant: matched by their masks, and by where they are.

A found object is right where the intersection over union of its mask and that of a meant thing is at least 0.5, each
thing being found once. Meant things that no person would point out (hardly visible, very small) need not be found, and
an object that shows one is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np

from clipseg_ros.lab.scenes.scene import SceneObject
from clipseg_ros.perception.regions import Region

SAME = 0.5
"""Intersection over union from which on a found mask is that of a thing."""
NEAR = 0.05
"""Metres within which a pose is that of a thing."""
SLACK = 2
"""Pixels by which two boundaries may be apart and still agree."""


@dataclass(frozen=True)
class Outcome:
    """What was found for one question, or the sums over several.

    right, wrong, missed : found objects that are a meant thing or none, and meant things that were not found
    first_right, asked : whether the best object is right; whether anything was meant
    near : meant things with a pose near them
    good_poses, poses : published poses near a meant thing; all of them
    iou, boundary : of the mask, where anything was meant
    found, questions : objects, and questions
    """

    right: float = 0
    wrong: float = 0
    missed: float = 0
    first_right: float = 0
    asked: float = 0
    near: float = 0
    good_poses: float = 0
    poses: float = 0
    iou: float = 0
    boundary: float = 0
    found: float = 0
    questions: float = 0

    def as_array(self) -> np.ndarray:
        """(k,) float64, in the order of the fields."""
        return np.array([getattr(self, field.name) for field in fields(self)], np.float64)

    @classmethod
    def sum_of(cls, outcomes: Iterable[Outcome]) -> Outcome:
        """The sum of several."""
        return cls(*np.sum([cls().as_array(), *(one.as_array() for one in outcomes)], axis=0).tolist())

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of the objects, 0 to 1; NaN where there is nothing to find."""
        return _share(2 * self.right, 2 * self.right + self.wrong + self.missed)

    @property
    def precision(self) -> float:
        """Share of the found objects that are right."""
        return _share(self.right, self.right + self.wrong)

    @property
    def near_share(self) -> float:
        """Share of the meant things with a pose near them."""
        return _share(self.near, self.right + self.missed)

    @property
    def recall(self) -> float:
        """Share of the meant things that were found."""
        return _share(self.right, self.right + self.missed)


def judge(regions: Sequence[Region], positions: Sequence[np.ndarray | None], mask: np.ndarray, ids: np.ndarray,
          meant: Sequence[SceneObject]) -> Outcome:
    """The outcome of one question.

    Parameters
    ----------
    regions : found, best first
    positions : (3,) metres of each, or None
    mask : (H, W) bool, all pixels that were found
    ids : (H, W) uint8, the true object of each pixel
    meant : the things that are the answer; none for an absent one
    """
    matched = match(regions, ids, meant)
    wanted = {thing.id for thing in meant if thing.nameable}
    right = sum(thing in wanted for thing in matched)
    apart = _distances([position for position in positions if position is not None], meant)
    needed = apart[:, [thing.nameable for thing in meant]] <= NEAR
    truth = np.isin(ids, [thing.id for thing in meant])
    asked = bool(wanted)
    return Outcome(
        right=right, wrong=sum(thing is None for thing in matched), missed=len(wanted) - right,
        first_right=asked and bool(matched) and matched[0] in wanted, asked=asked,
        near=needed.any(axis=0).sum(), good_poses=(apart <= NEAR).any(axis=1).sum(),
        poses=len(apart), iou=iou(mask, truth) if asked else 0, boundary=boundary_f(mask, truth) if asked else 0,
        found=len(regions), questions=1)


def match(regions: Sequence[Region], ids: np.ndarray, meant: Sequence[SceneObject]) -> list[int | None]:
    """The id of the thing that each region shows, None for none; the largest overlaps are given first."""
    names = [thing.id for thing in meant]
    pixels = np.bincount(ids.ravel(), minlength=256)[names]
    inside = np.array([_pixels_of(region, ids)[names] for region in regions]).reshape(len(regions), len(names))
    areas = np.array([[region.area] for region in regions]).reshape(-1, 1)
    overlap = inside / np.maximum(areas + pixels - inside, 1)
    found: list[int | None] = [None] * len(regions)
    while overlap.size and overlap.max() >= SAME:
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        found[row] = names[column]
        overlap[row], overlap[:, column] = 0, 0
    return found


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two (H, W) bool masks; 0 where both are empty."""
    return _share(float((mask & truth).sum()), float((mask | truth).sum()), 0.0)


def boundary_f(mask: np.ndarray, truth: np.ndarray, slack: int = SLACK) -> float:
    """Harmonic mean of the shares of two (H, W) bool masks' boundaries within `slack` pixels of the other's."""
    one, other = boundary(mask), boundary(truth)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * slack + 1, 2 * slack + 1))
    agreed = (one & cv2.dilate(other, disc)).sum(), (other & cv2.dilate(one, disc)).sum()
    precision, recall = (_share(float(part), float(whole.sum()), 0.0) for part, whole in zip(agreed, (one, other)))
    return _share(2 * precision * recall, precision + recall, 0.0)


def boundary(mask: np.ndarray) -> np.ndarray:
    """(H, W) uint8: 1 at the pixels of a (H, W) bool mask that touch one outside of it; the picture's rim is none."""
    pixels = mask.astype(np.uint8)
    return pixels - cv2.erode(pixels, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)


def _pixels_of(region: Region, ids: np.ndarray) -> np.ndarray:
    """(256,) how many of the region's pixels show each thing."""
    x, y, width, height = region.roi
    return np.bincount(ids[y:y + height, x:x + width][region.mask > 0], minlength=256)


def _distances(positions: Sequence[np.ndarray], meant: Sequence[SceneObject]) -> np.ndarray:
    """(n, m) metres between n positions and the centroids of m things."""
    there = np.array([thing.centroid for thing in meant]).reshape(1, -1, 3)
    return np.linalg.norm(np.array(positions).reshape(-1, 1, 3) - there, axis=2)


def _share(part: float, whole: float, none: float = float("nan")) -> float:
    return part / whole if whole else none
