# SPDX-License-Identifier: Apache-2.0
"""Figures of a run: appended to a CSV file, and to TensorBoard's log where that is installed."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor

from clipseg_ros.lab.training.batch import KINDS
from clipseg_ros.lab.training.losses import is_present


class MetricsLog:
    """Appends rows (step, name, value) to `directory`/metrics.csv; a resumed run goes on in the same file.

    Parameters
    ----------
    tensorboard : also write TensorBoard's event files, if the package is installed; `tensorboard_missing` tells
    """

    def __init__(self, directory: Path, *, tensorboard: bool = True) -> None:
        path = directory / "metrics.csv"
        fresh = not path.exists()
        self._file = open(path, "a", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        if fresh:
            self._writer.writerow(["step", "name", "value"])
        self._board = _tensorboard(directory) if tensorboard else None
        self.tensorboard_missing = tensorboard and self._board is None

    def add(self, step: int, figures: dict[str, float]) -> None:
        """Append one row for each figure."""
        for name, value in figures.items():
            self._writer.writerow([step, name, f"{value:.6g}"])
            if self._board is not None:
                self._board.add_scalar(name, value, step)
        self._file.flush()

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _tensorboard(directory: Path):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(directory / "tensorboard"))


class KindScores:
    """Gathers, over batches, intersection over union of each kind of prompt and how often absent ones stay empty.

    A prompt is absent when its mask is empty, and left empty when under 0.2% of the pixels reach `threshold`.
    """

    def __init__(self, threshold: float = 0.5) -> None:
        self._cut = float(torch.logit(torch.tensor(threshold)))
        self._scores: dict[str, list[Tensor]] = defaultdict(list)

    @torch.no_grad()
    def add(self, logits: Tensor, masks: Tensor, kinds: Tensor) -> None:
        """Take in a batch: logits and masks (B, P, h, w), kinds (B, P)."""
        found, truth = logits >= self._cut, masks.bool()
        overlap = (found & truth).sum(dim=(-2, -1)).float()
        union = (found | truth).sum(dim=(-2, -1)).float()
        present = is_present(masks)
        empty = (union < 0.002 * truth.shape[-2] * truth.shape[-1]).float()
        iou = overlap / union.clamp(min=1.0)
        for number, kind in enumerate(KINDS):
            self._scores[f"iou_{kind}"].append(iou[present & (kinds == number)].cpu())
        self._scores["empty_absent"].append(empty[~present].cpu())
        self._scores["iou"].append(iou[present].cpu())

    def means(self) -> dict[str, float]:
        """Return the mean of each figure that has at least one prompt."""
        joined = {name: torch.cat(parts) for name, parts in self._scores.items()}
        return {name: float(values.mean()) for name, values in joined.items() if len(values)}
