# SPDX-License-Identifier: Apache-2.0
"""The measures of image matting (RefMatte, P3M, AIM): how far a predicted opacity is from the true one.

    SAD   sum over the region of |prediction - truth|, divided by 1000
    MSE   mean over the region of the squared difference
    MAD   mean over the region of the absolute difference

The region is the whole picture, or a part of its trimap: certain foreground, certain background, or the
unknown band between them. Opacities are in [0, 1]. Over many prompts the plain figure is the mean over them;
the form marked (E) is the mean over entities: first over the phrases of one object, then over objects.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import cv2
import numpy as np

from clipseg_ros.lab.evaluation.segmentation import number

UNKNOWN = 128
REGIONS = ("whole", "unknown", "foreground", "background")


class MattingErrors(NamedTuple):
    """SAD in thousands of pixels, MSE and MAD per pixel; NaN means for an empty region."""

    sad: float
    mse: float
    mad: float


class MattingMeasures:
    """Collects prompts one by one and averages their errors, over prompts and over entities."""

    def __init__(self) -> None:
        self._sums = {region: np.zeros((2, 3)) for region in REGIONS}
        self._entities: dict[Hashable, tuple[np.ndarray, int]] = {}

    def add(self, errors: dict[str, MattingErrors], *, entity: Hashable = None) -> None:
        """Add one prompt by its `region_errors`; phrases of one object share `entity` (None: alone)."""
        for region, values in errors.items():
            known = ~np.isnan(values)
            self._sums[region] += np.where(known, values, 0.0), known
        key = ("own", len(self._entities)) if entity is None else ("given", entity)
        total, count = self._entities.get(key, (np.zeros(3), 0))
        self._entities[key] = (total + np.array(errors["whole"]), count + 1)

    def figures(self) -> dict:
        """Return {"sad", "mse", "mad"} per region and for "entities", the (E) form; None if undefined."""
        means = {region: _mean(*self._sums[region]) for region in REGIONS}
        entities = [total / count for total, count in self._entities.values()]
        means["entities"] = np.mean(entities, axis=0) if entities else np.full(3, np.nan)
        return {
            region: {name: number(value) for name, value in zip(MattingErrors._fields, values)}
            for region, values in means.items()
        }


def matting_errors(
    prediction: np.ndarray, truth: np.ndarray, region: np.ndarray | None = None
) -> MattingErrors:
    """Compare two opacities (H, W) in [0, 1], over all pixels or those where `region` (H, W) bool is True."""
    if prediction.shape != truth.shape or (region is not None and region.shape != truth.shape):
        raise ValueError(f"Prediction {prediction.shape}, truth {truth.shape} and region differ in shape.")
    if region is not None:
        prediction, truth = prediction[region], truth[region]
    difference = np.abs(prediction.astype(np.float64) - truth.astype(np.float64))
    if not difference.size:
        return MattingErrors(0.0, float("nan"), float("nan"))
    return MattingErrors(
        float(difference.sum()) / 1000, float(np.square(difference).mean()), float(difference.mean())
    )


def region_errors(
    prediction: np.ndarray, truth: np.ndarray, *, radius: int = 10
) -> dict[str, MattingErrors]:
    """Compare two opacities (H, W) in [0, 1] over each of REGIONS, with the trimap of `make_trimap`."""
    trimap = make_trimap(truth, radius)
    errors = {"whole": matting_errors(prediction, truth)}
    for region, value in (("unknown", UNKNOWN), ("foreground", 255), ("background", 0)):
        errors[region] = matting_errors(prediction, truth, trimap == value)
    return errors


def make_trimap(truth: np.ndarray, radius: int) -> np.ndarray:
    """Return (H, W) uint8: 255 certain foreground, 0 certain background, 128 unknown.

    Unknown is what lies within `radius` pixels of a pixel that is neither fully opaque nor fully clear, or of
    the outline between the two. Beyond the picture's border nothing is assumed.
    """
    if radius < 0:
        raise ValueError(f"The radius is {radius}; it must be 0 or more pixels.")
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    opaque, visible = (truth >= 1).astype(np.uint8), (truth > 0).astype(np.uint8)
    trimap = np.full(truth.shape, UNKNOWN, dtype=np.uint8)
    trimap[cv2.erode(opaque, disc) == 1] = 255
    trimap[cv2.dilate(visible, disc) == 0] = 0
    return trimap


def _mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
