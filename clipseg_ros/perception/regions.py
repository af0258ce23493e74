# SPDX-License-Identifier: Apache-2.0
"""Regions of an image, with a score each: the connected ones of a probability image, and those of given masks."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from clipseg_ros.perception.masks import threshold_mask, to_mask

MOST_SCORED = 256
"""Of more regions than this only the largest are scored, which bounds the time of a noisy image."""


@dataclass(frozen=True)
class Region:
    """A set of pixels that shows one object.

    Attributes
    ----------
    score : how sure it is that the object is meant, 0 to 1
    area : number of its pixels
    centroid : (u, v), mean column and row of its pixels, in pixels
    roi : (x, y, width, height), the smallest upright box around it, in pixels
    mask : (height, width) uint8, 255 inside the region and 0 elsewhere in the box
    """

    score: float
    area: int
    centroid: tuple[float, float]
    roi: tuple[int, int, int, int]
    mask: np.ndarray


def find_regions(probability: np.ndarray, threshold: float, *,
                 min_area: int = 1, max_regions: int | None = None, full_scale: float = 1.0) -> list[Region]:
    """Connected regions of `probability` >= `threshold`, the highest score first, which is their mean probability.

    Pixels that touch at a corner belong to the same region.

    Parameters
    ----------
    probability : (H, W) float32 in [0, 1], or uint8 in [0, 255] with a `full_scale` of 255
    threshold : in (0, full_scale)
    min_area : smaller regions are dropped, in pixels
    max_regions : only the best ones are returned; None means all
    full_scale : what stands for a probability of 1

    Raises
    ------
    ValueError
        If `probability` is not a two-dimensional array with at least one pixel.
    """
    if probability.ndim != 2 or probability.size == 0:
        raise ValueError(f"the probability image has the shape {probability.shape}; it must be (height, width)")
    above = threshold_mask(probability, threshold)
    left, top, width, height = cv2.boundingRect(above)
    if not width:
        return []
    crop = slice(top, top + height), slice(left, left + width)
    # The default algorithm takes twice as long.
    _, labels, stats, centroids = cv2.connectedComponentsWithStatsWithAlgorithm(
        above[crop], connectivity=8, ltype=cv2.CV_32S, ccltype=cv2.CCL_GRANA)
    areas = stats[:, cv2.CC_STAT_AREA]
    by_area = 1 + np.argsort(-areas[1:], kind="stable")
    regions = [_region(label, probability[crop], full_scale, labels, stats[label], centroids[label], (left, top))
               for label in by_area[:MOST_SCORED].tolist() if areas[label] >= min_area]
    regions.sort(key=lambda region: -region.score)
    return regions[:max_regions]


def region_of(mask: np.ndarray, corner: tuple[int, int], score: float) -> Region | None:
    """The region of the pixels of a part of an image that are not 0; None where there is none.

    Parameters
    ----------
    mask : (h, w) uint8
    corner : (x, y) of the part's upper left pixel in the image
    """
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return None
    inside = to_mask(mask[y:y + height, x:x + width] != 0)
    moments = cv2.moments(inside, binaryImage=True)
    x, y = x + corner[0], y + corner[1]
    return Region(score=score, area=cv2.countNonZero(inside),
                  centroid=(moments["m10"] / moments["m00"] + x, moments["m01"] / moments["m00"] + y),
                  roi=(x, y, width, height), mask=inside)


def _region(label: int, probability: np.ndarray, full_scale: float, labels: np.ndarray, stats: np.ndarray,
            centroid: np.ndarray, corner: tuple[int, int]) -> Region:
    """Region `label` of a part of the image whose upper left pixel is `corner` (x, y)."""
    x, y, width, height, area = stats.tolist()
    box = slice(y, y + height), slice(x, x + width)
    mask = to_mask(labels[box] == label)
    return Region(score=cv2.mean(probability[box], mask=mask)[0] / full_scale, area=area,
                  centroid=(float(centroid[0]) + corner[0], float(centroid[1]) + corner[1]),
                  roi=(x + corner[0], y + corner[1], width, height), mask=mask)
