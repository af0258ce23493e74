# SPDX-License-Identifier: Apache-2.0
"""Several classes at once from binary maps, and mean IoU over seen and unseen classes (zero-shot tables).

A pixel gets the class whose probability is highest, or background where that does not reach the background's
own score: a constant, or a map such as the probability of the prompt "background" times a weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

IGNORED = 255


class ConfusionMatrix:
    """Counts pixels by true class (rows) and predicted class (columns); class 0 is the background."""

    def __init__(self, classes: int) -> None:
        """Make an empty matrix for `classes` classes, background included."""
        if classes < 1:
            raise ValueError(f"There are {classes} classes; a confusion matrix needs at least one.")
        self.counts = np.zeros((classes, classes), dtype=np.int64)

    def add(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Add one picture: two (H, W) integer label maps; pixels whose truth is 255 do not count."""
        if truth.shape != prediction.shape:
            raise ValueError(f"Truth {truth.shape} and prediction {prediction.shape} must have one shape.")
        classes = len(self.counts)
        known = truth != IGNORED
        truth, prediction = truth[known].astype(np.int64), prediction[known].astype(np.int64)
        for name, labels in (("truth", truth), ("prediction", prediction)):
            if labels.size and not (0 <= labels.min() and labels.max() < classes):
                raise ValueError(
                    f"Labels of the {name} span [{labels.min()}, {labels.max()}]; "
                    f"they must be below {classes} or {IGNORED} (ignored, truth only)."
                )
        pairs = np.bincount(truth * classes + prediction, minlength=classes**2)
        self.counts += pairs.reshape(classes, classes)

    def iou(self) -> np.ndarray:
        """Return the IoU of each class, (classes,) float64; NaN for a class neither there nor predicted."""
        agreed = np.diagonal(self.counts)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - agreed
        return np.divide(agreed, union, out=np.full(len(agreed), np.nan), where=union > 0)

    def mean_iou(self, classes: Sequence[int] | None = None) -> float:
        """Return the mean IoU over `classes` (default: all), without those neither there nor predicted."""
        values = self.iou() if classes is None else self.iou()[list(classes)]
        return float(np.nanmean(values)) if (~np.isnan(values)).any() else float("nan")

    def zero_shot(self, unseen: Sequence[int]) -> dict[str, float]:
        """Return mean IoU over `unseen` classes, the others (with background), all, and the harmonic mean."""
        seen = [index for index in range(len(self.counts)) if index not in set(unseen)]
        seen_iou, unseen_iou = self.mean_iou(seen), self.mean_iou(unseen)
        total = seen_iou + unseen_iou
        harmonic = 2 * seen_iou * unseen_iou / total if total else 0.0
        return {"seen": seen_iou, "unseen": unseen_iou, "harmonic": harmonic, "overall": self.mean_iou()}


def label_map(probabilities: np.ndarray, background: float | np.ndarray) -> np.ndarray:
    """Give every pixel the class 1..C of the highest of `probabilities` (C, H, W), or 0; return (H, W) int64.

    0 wins where no probability reaches `background`, a threshold or an (H, W) map; the first of equal classes wins.
    """
    if probabilities.ndim != 3:
        raise ValueError(f"Probabilities must be (classes, H, W); got {probabilities.shape}.")
    if np.ndim(background) and np.shape(background) != probabilities.shape[1:]:
        raise ValueError(f"The background has shape {np.shape(background)}, not {probabilities.shape[1:]}.")
    if not len(probabilities):
        return np.zeros(probabilities.shape[1:], dtype=np.int64)
    return np.where(probabilities.max(axis=0) >= background, probabilities.argmax(axis=0) + 1, 0)


def evaluate_labels(
    segmenter,
    pictures: Iterable[tuple[np.ndarray, np.ndarray]],
    classes: Sequence[str],
    *,
    background: float = 0.5,
    background_prompt: str | None = None,
    background_weight: float = 3.0,
) -> ConfusionMatrix:
    """Segment all `classes` in pictures: image (H, W, 3) uint8, labels (H, W) of 0 or k for classes[k - 1].

    With a `background_prompt` the background's score is that prompt's probability times `background_weight`
    (the authors use 3) instead of the threshold `background`.
    """
    matrix = ConfusionMatrix(len(classes) + 1)
    prompts = [*classes] if background_prompt is None else [*classes, background_prompt]
    for image, labels in pictures:
        maps = segmenter.segment(image, prompts)
        score = background if background_prompt is None else maps[-1] * background_weight
        matrix.add(labels, label_map(maps[: len(classes)], score))
    return matrix
