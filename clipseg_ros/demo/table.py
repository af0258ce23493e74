# SPDX-License-Identifier: Apache-2.0
"""What the demonstration found, as a table of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HEADINGS = ("prompt", "score", "IoU", "centroid px", "centroid m (x y z)", "ms")


@dataclass(frozen=True)
class Row:
    """What one prompt found in one frame.

    score : highest probability, 0 to 1; iou : with the ground truth, 0 to 1, NaN where it is unknown;
    pixel (2,) and position (3,) : centroid of the best region in pixels and metres, NaN where there is none;
    milliseconds : from the publication of an image to its result, median.
    """

    prompt: str
    score: float
    iou: float
    pixel: tuple[float, float]
    position: tuple[float, float, float]
    milliseconds: float


def intersection_over_union(mask: np.ndarray, truth: np.ndarray | None) -> float:
    """IoU of two (H, W) masks; 1 where both are empty, NaN where the truth is None."""
    if truth is None:
        return math.nan
    union = np.logical_or(mask, truth).sum()
    return float(np.logical_and(mask, truth).sum() / union) if union else 1.0


def table(rows: Sequence[Row]) -> str:
    """The rows beneath their headings, in columns."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = ["  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))])
             for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    return (row.prompt, _numbers((row.score,), 2), _numbers((row.iou,), 2), _numbers(row.pixel, 0),
            _numbers(row.position, 2), _numbers((row.milliseconds,), 0))


def _numbers(values: Sequence[float], digits: int) -> str:
    if any(math.isnan(value) for value in values):
        return "-"
    return " ".join(f"{value:.{digits}f}" for value in values)
