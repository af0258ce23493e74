# SPDX-License-Identifier: Apache-2.0
"""What the demonstration found, as a picture: a row per scene, the camera's picture and an overlay per prompt."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_GAP = 12
_BAND = 40
_PAPER = (250, 250, 250)
_INK = (40, 40, 40)
_FONT = cv2.FONT_HERSHEY_DUPLEX


def grid(rows: Sequence[Sequence[tuple[str, np.ndarray]]], *, width: int = 480) -> np.ndarray:
    """Pictures with their captions in rows.

    Parameters
    ----------
    rows : of (caption, (H, W, 3) uint8 RGB); a shorter row is filled with paper
    width : of each picture in the grid, pixels

    Returns
    -------
    (height, width, 3) uint8, RGB
    """
    columns = max(len(row) for row in rows)
    lines = []
    for row in rows:
        cells = [_cell(caption, picture, width) for caption, picture in row]
        height = max(cell.shape[0] for cell in cells)
        cells += [_paper(height, width)] * (columns - len(cells))
        lines.append(_join([_fill(cell, height) for cell in cells], axis=1))
    return cv2.copyMakeBorder(_join(lines, axis=0), *[_GAP] * 4, cv2.BORDER_CONSTANT, value=_PAPER)


def _cell(caption: str, picture: np.ndarray, width: int) -> np.ndarray:
    """The picture at `width`, above its caption."""
    height = round(picture.shape[0] * width / picture.shape[1])
    smaller = width < picture.shape[1]
    scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    band = _paper(_BAND, width)
    cv2.putText(band, caption, (2, 24), _FONT, _fitting(caption, width - 8), _INK, 1, cv2.LINE_AA)
    return np.vstack([scaled, band])


def _fitting(caption: str, width: int) -> float:
    """The largest scale at which the caption is no wider; OpenCV 5 rounds sizes, so a ratio may miss it."""
    scales = [0.6 - 0.05 * step for step in range(12)]
    return next((scale for scale in scales if cv2.getTextSize(caption, _FONT, scale, 1)[0][0] <= width), scales[-1])


def _paper(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), _PAPER, np.uint8)


def _fill(cell: np.ndarray, height: int) -> np.ndarray:
    return cv2.copyMakeBorder(cell, 0, height - cell.shape[0], 0, 0, cv2.BORDER_CONSTANT, value=_PAPER)


def _join(parts: Sequence[np.ndarray], *, axis: int) -> np.ndarray:
    """The parts one after another with a gap between them."""
    joined = [parts[0]]
    for part in parts[1:]:
        shape = (part.shape[0], _GAP) if axis == 1 else (_GAP, part.shape[1])
        joined += [_paper(*shape), part]
    return np.concatenate(joined, axis=axis)
