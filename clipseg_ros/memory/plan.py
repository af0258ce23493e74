# SPDX-License-Identifier: Apache-2.0
"""A plan of a memory: the way of the cameras, the keyframes and what was recalled, from above."""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from clipseg_ros.memory.keyframe import Keyframe
from clipseg_ros.memory.things import RecalledObject
from clipseg_ros.perception.overlay import COLOURS
from clipseg_ros.perception.transforms import Transform

SIDE = 900
"""Pixels of the plan's longer side."""
_MARGIN, _LOOK, _HIGHEST = 0.3, 0.25, 1.8
_WHITE, _GREY, _DARK = (255, 255, 255), (150, 150, 150), (60, 60, 60)
_FONT = cv2.FONT_HERSHEY_DUPLEX


def draw_plan(keyframes: Sequence[Keyframe], objects: Sequence[RecalledObject] = (),
              way: Sequence[Transform] = ()) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the fixed frame from above, x to the right and y up, its z axis towards the reader.

    What the keyframes saw below 1.8 m is shown in its colours, the `way` of the camera as a line, each keyframe as a
    wedge in the direction in which it looks, each object with a place by its points, its name, its score and how
    often it was seen.

    Raises
    ------
    ValueError
        If there are no keyframes.
    """
    if not keyframes:
        raise ValueError("the memory is empty; a plan needs a keyframe")
    points, colours = _seen(keyframes)
    spots = np.array([pose.translation for pose in (*way, *(frame.pose for frame in keyframes))])
    paper = _Paper(np.concatenate([points, spots]))
    picture = paper.blank()
    across, down = paper.place(points).T
    picture[down, across] = colours
    picture = cv2.erode(picture, np.ones((3, 3), np.uint8))
    if len(way) > 1:
        line = paper.place(np.array([pose.translation for pose in way]))
        cv2.polylines(picture, [line], False, _GREY, 1, cv2.LINE_AA)
    for frame in keyframes:
        _draw_wedge(picture, paper, frame)
    placed = [one for one in objects if one.found.pose is not None]
    for one in placed:
        hull = [cv2.convexHull(paper.place(one.points))]
        cv2.polylines(picture, hull, True, _WHITE, 5, cv2.LINE_AA)
        cv2.polylines(picture, hull, True, _colour(one), 3, cv2.LINE_AA)
    named: list[tuple[int, int, int, int]] = []
    for one in placed:
        _draw_name(picture, paper, one, named)
    _draw_scale(picture, paper)
    return picture


class _Paper:
    """From metres to pixels of the plan."""

    def __init__(self, points: np.ndarray) -> None:
        self._low = np.quantile(points[:, :2], 0.002, axis=0) - _MARGIN
        self._high = np.quantile(points[:, :2], 0.998, axis=0) + _MARGIN
        self.scale = SIDE / float((self._high - self._low).max())
        self.size = np.maximum(np.ceil((self._high - self._low) * self.scale), 1).astype(int)

    def blank(self) -> np.ndarray:
        return np.full((self.size[1], self.size[0], 3), 255, np.uint8)

    def place(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) int32 columns and rows of points (n, 3) in metres, those outside at the rim."""
        pixels = (np.atleast_2d(points)[:, :2] - self._low) * self.scale
        pixels[:, 1] = self.size[1] - 1 - pixels[:, 1]
        return np.clip(np.rint(pixels), 0, self.size - 1).astype(np.int32)


def _seen(keyframes: Sequence[Keyframe]) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) metres and (n, 3) uint8 RGB of what keyframes with depth saw, the lowest first."""
    points, colours = [np.zeros((0, 3))], [np.zeros((0, 3), np.uint8)]
    for frame in keyframes:
        metres = frame.metres
        if metres is None or frame.view is None:
            continue
        rays = np.concatenate([frame.view.rays, np.ones((*frame.size, 1), np.float32)], axis=2)
        local = (rays * metres[..., None]).reshape(-1, 3)
        known = np.isfinite(local).all(axis=1)
        points.append(frame.pose.apply(local[known]))
        colours.append(frame.rgb.reshape(-1, 3)[known])
    points, colours = np.concatenate(points), np.concatenate(colours)
    order = np.argsort(points[:, 2])
    order = order[points[order, 2] < _HIGHEST]
    faded = 255 - (255 - colours[order].astype(np.int32)) * 6 // 10
    return points[order], faded.astype(np.uint8)


def _draw_wedge(picture: np.ndarray, paper: _Paper, frame: Keyframe) -> None:
    ahead = frame.pose.matrix @ [[-0.4, 0.4], [0, 0], [1, 1]] * _LOOK
    corners = np.stack([frame.pose.translation, *(frame.pose.translation + ahead.T)])
    cv2.polylines(picture, [paper.place(corners)], True, _DARK, 1, cv2.LINE_AA)


def _colour(one: RecalledObject) -> tuple[int, int, int]:
    return tuple(int(value) for value in COLOURS[one.prompt_index % len(COLOURS)])


def _draw_name(picture: np.ndarray, paper: _Paper, one: RecalledObject, named: list[tuple[int, int, int, int]]) -> None:
    """The object's name below it, or lower where another name is already."""
    text = f"{one.prompt} {one.score:.2f}, {one.views} views"
    text = text.encode("ascii", "replace").decode()
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.5, 1)
    left, top, across, down = cv2.boundingRect(paper.place(one.points))
    x = int(np.clip(left + (across - width) // 2, 4, max(paper.size[0] - width - 8, 4)))
    y = max(top + down, 0) + height + 10
    while any(x < right and left < x + width and y - height - 8 < bottom and top < y
              for left, top, right, bottom in named):
        y += height + 10
    y = min(y, paper.size[1] - 8)
    named.append((x - 4, y - height - 5, x + width + 4, y + 5))
    cv2.rectangle(picture, named[-1][:2], named[-1][2:], _WHITE, -1)
    cv2.rectangle(picture, named[-1][:2], named[-1][2:], _colour(one), 1)
    cv2.putText(picture, text, (x, y), _FONT, 0.5, _DARK, 1, cv2.LINE_AA)


def _draw_scale(picture: np.ndarray, paper: _Paper) -> None:
    """A bar of one metre."""
    left, row = 14, picture.shape[0] - 14
    cv2.line(picture, (left, row), (left + round(paper.scale), row), _DARK, 3)
    cv2.putText(picture, "1 m", (left, row - 8), _FONT, 0.5, _DARK, 1, cv2.LINE_AA)
