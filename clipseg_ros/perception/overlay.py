# SPDX-License-Identifier: Apache-2.0
"""Draw what each prompt found onto the picture."""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from clipseg_ros.perception.masks import NO_PROMPT, check_probabilities, label_image, to_mask, union_mask

COLOURS = np.array([(0, 158, 255), (255, 149, 0), (0, 200, 83), (255, 64, 129), (255, 221, 0),
                    (170, 102, 255), (0, 229, 229), (229, 57, 53), (174, 213, 67), (141, 110, 99)], np.uint8)
"""RGB of prompt 0, 1, ...; it starts again after the last one."""

_FILL = 0.45
_PALETTE = np.zeros((256, 1, 3), np.uint8)
_PALETTE[:NO_PROMPT, 0] = COLOURS[np.arange(NO_PROMPT) % len(COLOURS)]
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_overlay(image: np.ndarray, probabilities: np.ndarray, thresholds: Sequence[float],
                 names: Sequence[str], *, labels: np.ndarray | None = None,
                 scores: Sequence[float] | None = None) -> np.ndarray:
    """The picture with each prompt's pixels tinted, outlined and named in a legend.

    Parameters
    ----------
    image : (H, W, 3) uint8, RGB; not changed
    probabilities : (n, H, W) float32 in [0, 1], or uint8 in [0, 255] with `scores`
    thresholds : n numbers on that scale; a pixel belongs to the most probable prompt that reaches its own
    names : n legend texts; the prompt's score is written behind each
    labels : (H, W) uint8, the `label_image` of the same arguments if the caller has it already
    scores : n highest probabilities, 0 to 1, if the caller has them already

    Returns
    -------
    (H, W, 3) uint8, RGB

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    check_probabilities(probabilities, thresholds)
    if image.dtype != np.uint8 or image.shape != (*probabilities.shape[1:], 3):
        raise ValueError(f"the image is {image.dtype} of shape {image.shape}; "
                         f"it must be uint8 of shape {(*probabilities.shape[1:], 3)}")
    if len(names) != len(probabilities):
        raise ValueError(f"there are {len(probabilities)} prompts but {len(names)} names; each prompt needs one")
    if labels is None:
        labels = label_image(probabilities, thresholds)
    picture = _tint(image, labels)
    if scores is None:
        scores = [float(probability.max()) for probability in probabilities]
    _draw_legend(picture, [f"{_printable(name)}  {score:.2f}" for name, score in zip(names, scores, strict=True)])
    return picture


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
    scale = max(0.35, min(height, width) / 480 * 0.5)
    row = round(44 * scale)
    sizes = [cv2.getTextSize(line, _FONT, scale, 1)[0][0] for line in lines]
    shown = min(len(lines), max(height // row - 1, 0))
    if not shown:
        return
    box = picture[:shown * row + row // 3, :row + max(sizes[:shown]) + row // 2]
    cv2.convertScaleAbs(box, box, 0.35, 0)
    for index, line in enumerate(lines[:shown]):
        top = index * row + row // 4
        colour = tuple(int(value) for value in COLOURS[index % len(COLOURS)])
        cv2.rectangle(picture, (row // 4, top), (row * 3 // 4, top + row // 2), colour, cv2.FILLED)
        cv2.putText(picture, line, (row, top + row // 2), _FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)


def _printable(name: str) -> str:
    """The name in the characters that OpenCV's stroke font has."""
    return name.encode("ascii", "replace").decode()
