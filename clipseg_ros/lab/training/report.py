# SPDX-License-Identifier: Apache-2.0
"""What a run tells while it goes: a progress bar, log lines, figures, and pictures of validation prompts."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor
from tqdm import tqdm

from clipseg_ros.lab.training.batch import Batch
from clipseg_ros.lab.training.losses import batch_iou


class Reporter:
    """Shows progress: a bar on a terminal, a line every `log_every` steps elsewhere; nothing with `quiet`."""

    def __init__(self, directory: Path, run, *, quiet: bool = False, tensorboard_missing: bool = False) -> None:
        self._directory = directory
        self._run = run
        self._quiet = quiet
        self._bar = None
        if not quiet and sys.stderr.isatty():
            form = "{percentage:5.1f}%|{bar}| {elapsed}<{remaining}{postfix}"
            self._bar = tqdm(total=100.0, unit="%", bar_format=form)
        self._marked = time.perf_counter()
        self._images = 0
        self._waited = 0.0
        if tensorboard_missing:
            self._say("TensorBoard is not installed (pip install tensorboard): figures go to metrics.csv only.")

    def step(
        self,
        trainer,
        losses: dict[str, float],
        logits: Tensor | None,
        masks: Tensor,
        *,
        rate: float,
        waited: float,
        progress: float,
    ) -> None:
        """Count a step and, every `log_every` steps, tell of it."""
        self._images += len(masks) * trainer.config.optimiser.accumulate
        self._waited += waited
        if trainer.iteration % self._run.log_every:
            return
        now = time.perf_counter()
        seconds, self._marked = now - self._marked, now
        iou, empty = batch_iou(logits.float(), masks) if logits is not None else (float("nan"), float("nan"))
        figures = {
            **{f"loss/{name}": value for name, value in losses.items()},
            "iou": iou,
            "empty_absent": empty,
            "images_per_second": self._images / seconds,
            "rate": rate,
            "minutes": trainer.elapsed / 60.0,
        }
        trainer.log.add(trainer.iteration, {name: value for name, value in figures.items() if value == value})
        parts = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        text = f"IoU {iou:.3f} empty {empty:.2f} {self._images / seconds:.1f} images/s"
        if self._bar is not None:
            self._bar.n = 100.0 * progress
            self._bar.set_postfix_str(f"step {trainer.iteration} loss {sum(losses.values()):.3f} {text}")
        else:
            self._say(
                f"step {trainer.iteration} ({100 * progress:.1f}%) {trainer.elapsed / 60:.1f} min {parts} {text} "
                f"waiting {100 * self._waited / seconds:.0f}% rate {rate:.2e}"
            )
        self._images, self._waited = 0, 0.0

    def validation(self, step: int, figures: dict[str, float]) -> None:
        """Tell a validation's figures."""
        self._say(f"validation at step {step}: " + " ".join(f"{name} {value:.3f}" for name, value in figures.items()))

    def pictures(self, step: int, batch: Batch, logits: Tensor, *, images: int = 4) -> None:
        """Write `directory`/validation/STEP.jpg: a row for each picture, its prompts' masks in green on it."""
        folder = self._directory / "validation"
        folder.mkdir(exist_ok=True)
        rows = [_row(batch, logits, number) for number in range(min(images, len(batch.pixels)))]
        cv2.imwrite(str(folder / f"{step:07d}.jpg"), np.concatenate(rows)[:, :, ::-1])

    def close(self) -> None:
        """Finish the progress bar."""
        if self._bar is not None:
            self._bar.close()

    def _say(self, text: str) -> None:
        if not self._quiet:
            tqdm.write(text, file=sys.stderr)


def _row(batch: Batch, logits: Tensor, number: int) -> np.ndarray:
    """The picture, then for each prompt the picture with what was found in green and the truth outlined in white."""
    image = np.ascontiguousarray(batch.pixels[number].permute(1, 2, 0).cpu().numpy())
    tiles = [image]
    for place in range(logits.shape[1]):
        tile = image.copy()
        found = logits[number, place].sigmoid().cpu().numpy()[..., None]
        tile = np.rint(tile * (1 - 0.6 * found) + np.array([0, 200, 0]) * 0.6 * found).astype(np.uint8)
        outline, _ = cv2.findContours(
            batch.masks[number, place].cpu().numpy(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        tile = np.ascontiguousarray(tile)
        cv2.drawContours(tile, outline, -1, (255, 255, 255), 1)
        text = int(batch.text_index[number, place])
        words = batch.texts[text] if text >= 0 else "(picture)"
        cv2.putText(tile, words, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(tile, words, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
        tiles.append(tile)
    return np.concatenate(tiles, axis=1)
