# SPDX-License-Identifier: Apache-2.0
"""Draw what each prompt found onto the picture."""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from clipseg_ros.perception.found import FoundObject
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.masks import NO_PROMPT, to_mask, union_mask
from clipseg_ros.perception.regions import Region

COLOURS = np.array([(0, 158, 255), (255, 149, 0), (0, 200, 83), (255, 64, 129), (255, 221, 0),
                    (170, 102, 255), (0, 229, 229), (229, 57, 53), (174, 213, 67), (141, 110, 99)], np.uint8)
"""RGB of prompt 0, 1, ...; it starts again after the last one."""

_FILL = 0.45
_PALETTE = np.zeros((256, 1, 3), np.uint8)
_PALETTE[:NO_PROMPT, 0] = COLOURS[np.arange(NO_PROMPT) % len(COLOURS)]
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK = (0, 0, 0)


def draw_overlay(image: np.ndarray, maps: Maps, names: Sequence[str], *, scores: Sequence[float] | None = None,
                 objects: Sequence[FoundObject] = ()) -> np.ndarray:
    """The picture with each prompt's pixels tinted, its objects outlined, and the prompts named in a legend.

    Parameters
    ----------
    image : (H, W, 3) uint8, RGB; not changed
    maps : of the n prompts; a pixel belongs to the most probable prompt that reaches its threshold
    names : n legend texts; the prompt's score is written behind each
    scores : n probabilities, 0 to 1, for the legend; by default the highest of each map
    objects : outlined each, with its number and its distance from the camera where they are known

    Returns
    -------
    (H, W, 3) uint8, RGB

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    if image.dtype != np.uint8 or image.shape != (*maps.size, 3):
        raise ValueError(f"the image is {image.dtype} of shape {image.shape}; "
                         f"it must be uint8 of shape {(*maps.size, 3)}")
    if len(names) != len(maps):
        raise ValueError(f"there are {len(maps)} prompts but {len(names)} names; each prompt needs one")
    picture = _tint(image, maps.labels)
    for one in objects:
        draw_outline(picture, one.region, one.prompt_index)
    for one in objects:
        _tag(picture, one)
    lines = zip(names, maps.scores if scores is None else scores, strict=True)
    _draw_legend(picture, [f"{_printable(name)}  {score:.2f}" for name, score in lines])
    return picture


def draw_outline(picture: np.ndarray, region: Region, prompt_index: int) -> None:
    """Draw a region's edge, a line of the prompt's colour within a dark one, in place on (H, W, 3) uint8 RGB."""
    x, y, width, height = region.roi
    contours, _ = cv2.findContours(region.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y))
    for colour, thickness in ((_DARK, 3), (_colour(prompt_index), 1)):
        cv2.drawContours(picture, contours, -1, colour, thickness, cv2.LINE_AA)


def _tag(picture: np.ndarray, one: FoundObject) -> None:
    """Write number and distance above the object, in place; nothing where neither is known."""
    pose = one.location.pose
    words = [f"#{one.track_id}"] if one.track_id else []
    words += [] if pose is None else [f"{np.linalg.norm(pose.position):.2f} m"]
    if not words:
        return
    text, scale = " ".join(words), _text_scale(picture)
    (width, height), base = cv2.getTextSize(text, _FONT, scale, 1)
    x, y, box_width, _ = one.region.roi
    left = min(max(x + (box_width - width) // 2, base), max(picture.shape[1] - width - base, 0))
    bottom = min(max(y - base, height + base), picture.shape[0] - base)
    corners = (left - base, bottom - height - base), (left + width + base, bottom + base)
    cv2.rectangle(picture, *corners, _DARK, cv2.FILLED)
    cv2.rectangle(picture, *corners, _colour(one.prompt_index), 1)
    cv2.putText(picture, text, (left, bottom), _FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)


def _tint(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fill every labelled pixel with its prompt's colour, faintly, and the border of each area in full."""
    picture = image.copy()
    inside = union_mask(labels)
    x, y, width, height = cv2.boundingRect(inside)
    if not width:
        return picture
    # The border of an area is seen from the pixels around it.
    box = slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)
    labels, inside, target = labels[box], inside[box], picture[box]
    colours = cv2.applyColorMap(labels, _PALETTE)
    cv2.copyTo(cv2.addWeighted(target, 1 - _FILL, colours, _FILL, 0), inside, target)
    border = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, _NEIGHBOURS)
    cv2.copyTo(colours, cv2.min(to_mask(border > 0), inside), target)
    return picture


def _draw_legend(picture: np.ndarray, lines: Sequence[str]) -> None:
    """Write the lines that fit under each other into the upper left corner, in place."""
    height, width = picture.shape[:2]
    scale = _text_scale(picture)
    row = round(44 * scale)
    sizes = [cv2.getTextSize(line, _FONT, scale, 1)[0][0] for line in lines]
    shown = min(len(lines), max(height // row - 1, 0))
    if not shown:
        return
    box = picture[:shown * row + row // 3, :row + max(sizes[:shown]) + row // 2]
    cv2.convertScaleAbs(box, box, 0.35, 0)
    for index, line in enumerate(lines[:shown]):
        top = index * row + row // 4
        cv2.rectangle(picture, (row // 4, top), (row * 3 // 4, top + row // 2), _colour(index), cv2.FILLED)
        cv2.putText(picture, line, (row, top + row // 2), _FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)


def _printable(name: str) -> str:
    """The name in the characters that OpenCV's stroke font has."""
    return name.encode("ascii", "replace").decode()


def _colour(prompt_index: int) -> tuple[int, int, int]:
    """RGB of a prompt, as OpenCV takes it."""
    return tuple(COLOURS[prompt_index % len(COLOURS)].tolist())


def _text_scale(picture: np.ndarray) -> float:
    """Of letters that can be read in pictures of any size."""
    return max(0.35, min(picture.shape[:2]) / 480 * 0.5)
