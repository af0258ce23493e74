# SPDX-License-Identifier: Apache-2.0
"""How far a mean over prompts might be off: 95 % of a bootstrap over pictures (Efron & Tibshirani, 1993)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_DRAWS = 2000


def interval_of_mean(values: Sequence[float], pictures: Sequence[str]) -> dict[str, float] | None:
    """{"low", "high"} of the mean of `values`, of which the prompts of one picture are drawn together.

    Prompts of a picture share what is hard about it, so as many prompts of as many pictures would say more.
    None with fewer than two pictures. The draws are the same every time.
    """
    names, numbers = np.unique(np.asarray(pictures), return_inverse=True)
    if len(names) < 2:
        return None
    sums, counts = np.bincount(numbers, weights=values), np.bincount(numbers)
    drawn = np.random.default_rng(0).integers(len(names), size=(_DRAWS, len(names)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return {"low": float(low), "high": float(high)}


def as_text(interval: Mapping[str, float] | None) -> str:
    """An interval in a table's cell, such as "0.59-0.66"; "" for None."""
    return "" if interval is None else f"{interval['low']:.2f}-{interval['high']:.2f}"
