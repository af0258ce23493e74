# SPDX-License-Identifier: Apache-2.0
"""The binary segmentation measures of the CLIPSeg paper (arXiv 2112.10003, section 4), streamed.

    mIoU        mean over prompts of each prompt's own IoU (PhraseCut)
    class mIoU  pixels pooled within a category, then the mean over categories (Pascal-5i, COCO-20i)
    IoU_FG      the IoU of the foreground, pixels of all prompts pooled
    IoU_BIN     mean of the pooled foreground IoU and the pooled background IoU
    AP          area under the precision-recall curve of the pooled pixels

Every prompt is reduced to two histograms of its probabilities, one over the object's pixels and one over the
others. A pixel counts as found when its float32 probability reaches the threshold, as in perception.masks, and the
bins [k / BINS, (k + 1) / BINS) are closed on the left, so that counts at multiples of 1 / BINS are exact. Memory does
not grow with the number of prompts.
"""

from __future__ import annotations

import numpy as np

BINS = 1000
ROUNDING = 1e-5
"""How far interpolation may push a probability beyond 0 or 1."""
THRESHOLDS = tuple(step / 50 for step in range(1, 50))
"""0.02, 0.04, ... 0.98: the thresholds among which the paper takes the best one."""
FIXED_THRESHOLDS = (0.1, 0.2, 0.3, 0.5)
"""The thresholds that the paper's tables fix."""
_SEARCHED = np.arange(1, 50) * (BINS // 50)
_EDGES = (np.arange(BINS + 1) / BINS).astype(np.float32)


class SegmentationMeasures:
    """Collects prompts one by one and gives the figures of all of them together."""

    def __init__(self) -> None:
        self._pooled = np.zeros((2, BINS + 1), dtype=np.int64)
        self._iou_sum = np.zeros(BINS + 1)
        self._categories: dict[str | None, np.ndarray] = {}
        self._present = 0

    def add(self, histogram: np.ndarray, *, category: str | None = None) -> None:
        """Add one prompt by its `histograms`, (2, BINS + 1).

        A prompt with an empty mask has no IoU and adds only its false positives to the pooled measures.
        """
        self._pooled += histogram
        if not histogram[1].any():
            return
        self._iou_sum += iou_curve(histogram)
        self._present += 1
        self._categories.setdefault(category, np.zeros_like(histogram))
        self._categories[category] += histogram

    def miou(self) -> np.ndarray:
        """Return mIoU at every threshold k / BINS, (BINS + 1,); NaN without a prompt that has a mask."""
        return self._iou_sum / self._present if self._present else np.full(BINS + 1, np.nan)

    def class_miou(self) -> np.ndarray:
        """Return class mIoU at every threshold k / BINS, (BINS + 1,); NaN where a prompt has no category."""
        if not self._categories or None in self._categories:
            return np.full(BINS + 1, np.nan)
        return np.mean([iou_curve(histogram) for histogram in self._categories.values()], axis=0)

    def iou_fg(self) -> np.ndarray:
        """Return the pooled foreground IoU at every threshold k / BINS, (BINS + 1,)."""
        return iou_curve(self._pooled)

    def iou_bin(self) -> np.ndarray:
        """Return the mean of the pooled IoUs of foreground and background at every threshold, (BINS + 1,)."""
        found = _found(self._pooled)
        total = self._pooled.sum(axis=1, keepdims=True)
        background, foreground = total - found
        return (self.iou_fg() + _ratio(background, total[0] + foreground)) / 2

    def average_precision(self) -> float:
        """Return the area under the precision-recall steps, sum of (R_n - R_(n-1)) P_n; NaN if undefined."""
        false, true = _found(self._pooled)[:, ::-1]
        if not true[-1]:
            return float("nan")
        recall = true / true[-1]
        return float(np.sum(np.diff(recall, prepend=0.0) * np.nan_to_num(_ratio(true, true + false))))

    def average_precision_49(self) -> float:
        """Return the area under the curve through the paper's 49 thresholds, between the recalls they reach.

        What lies below 0.02 and above 0.98 is left out, as in the authors' code: this is the smaller of the
        two areas and the one to compare with their tables (which join the points by parabolas, not by lines).
        """
        false, true = _found(self._pooled)[:, _SEARCHED[::-1]]
        if not self._pooled[1].any():
            return float("nan")
        recall, precision = true / self._pooled[1].sum(), _ratio(true, true + false)
        recall, precision = recall[~np.isnan(precision)], precision[~np.isnan(precision)]
        return float(np.sum(np.diff(recall) * (precision[1:] + precision[:-1]) / 2))

    def figures(self, threshold: float) -> dict:
        """Return all figures, NaN as None: at `threshold`, at the fixed ones, at each best one, and AP.

        "curves" holds every measure at each of THRESHOLDS.
        """
        curves = {name: getattr(self, name)() for name in ("miou", "class_miou", "iou_fg", "iou_bin")}
        return {
            "threshold": threshold,
            **{name: number(curve[index_of(threshold)]) for name, curve in curves.items()},
            "ap": number(self.average_precision()),
            "ap_49": number(self.average_precision_49()),
            "best": {name: _best(curve) for name, curve in curves.items()},
            "at": {
                f"{fixed:g}": {name: number(curve[index_of(fixed)]) for name, curve in curves.items()}
                for fixed in FIXED_THRESHOLDS
            },
            "curves": {name: [number(value) for value in curve[_SEARCHED]] for name, curve in curves.items()},
        }


def histograms(probability: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Count the probabilities of background and foreground pixels, (2, BINS + 1) int64.

    Column k counts probabilities in [k / BINS, (k + 1) / BINS); the last column those that are exactly 1.
    Raises ValueError for shapes that differ, an empty picture, or a probability that is not in [0, 1].
    """
    if probability.shape != mask.shape or probability.ndim != 2 or not probability.size:
        raise ValueError(f"Probabilities {probability.shape} and mask {mask.shape} must be one (H, W).")
    lowest, highest = float(probability.min()), float(probability.max())
    if not (lowest >= -ROUNDING and highest <= 1.0 + ROUNDING):
        raise ValueError(f"Probabilities span [{lowest:g}, {highest:g}]; they must lie in [0, 1], no NaN.")
    probability = np.clip(probability, 0, 1, dtype=np.float32)
    # float32 times BINS is exact in float64, so rounding down never moves a probability across k / BINS; left are the
    # edges that float32 rounds down, which reach themselves
    column = np.floor(probability.astype(np.float64) * BINS).astype(np.int64)
    column += (_EDGES[np.minimum(column + 1, BINS)] == probability) & (column < BINS)
    flat = (column + (BINS + 1) * mask.astype(bool)).ravel()
    return np.bincount(flat, minlength=2 * (BINS + 1)).reshape(2, BINS + 1)


def iou_curve(histogram: np.ndarray) -> np.ndarray:
    """Return the foreground IoU at every threshold k / BINS, (BINS + 1,); NaN for nothing there or found."""
    false, true = _found(histogram)
    return _ratio(true, histogram[1].sum() + false)


def index_of(threshold: float) -> int:
    """Return k of the threshold k / BINS; ValueError for one that is not such a multiple in [0, 1)."""
    index = round(threshold * BINS) if np.isfinite(threshold) else -1
    if abs(threshold * BINS - index) > 1e-6 or not 0 <= index < BINS:
        raise ValueError(f"The threshold is {threshold:g}; it must be a multiple of {1 / BINS:g} in [0, 1).")
    return index


def number(value: float) -> float | None:
    """Return `value` as a plain float, or None for NaN (JSON has no NaN)."""
    return None if np.isnan(value) else float(value)


def _found(histogram: np.ndarray) -> np.ndarray:
    """Count the pixels that reach every threshold k / BINS: (2, BINS + 1), false positives and true positives."""
    return np.cumsum(histogram[:, ::-1], axis=1)[:, ::-1]


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _best(curve: np.ndarray) -> dict | None:
    """Return the highest value of a curve among the paper's thresholds, and the lowest that gives it."""
    values = curve[_SEARCHED]
    if np.isnan(values).all():
        return None
    return {"value": float(np.nanmax(values)), "threshold": THRESHOLDS[int(np.nanargmax(values))]}
