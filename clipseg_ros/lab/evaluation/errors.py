# SPDX-License-Identifier: Apache-2.0
"""Which errors cost how much: the cases of an evaluation by kind of error, by size and by category."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from clipseg_ros.lab.evaluation.intervals import as_text, interval_of_mean
from clipseg_ros.lab.evaluation.run import Case

SIZES = (0.01, 0.03, 0.1)
"""Shares of the picture between which sizes are told apart."""
LEAST_CATEGORY = 5
"""A category with fewer prompts says nothing."""

KINDS = ("good", "edges", "a part", "too much", "a part and others", "another thing", "nothing")


def kind_of(case: Case) -> str:
    """One of KINDS for a prompt with something to find.

    good : IoU of 0.8 and more
    edges : of 0.5 and more
    nothing, another thing : less than a tenth of the thing is marked, and so little of everything, or more
    a part, too much : 0.7 of what is marked is right, or 0.7 of the thing is marked
    """
    overlap = case.iou / (1.0 + case.iou) * (case.found_share + case.true_share)
    if case.iou >= 0.5:
        return "good" if case.iou >= 0.8 else "edges"
    if overlap < 0.1 * case.true_share:
        return "nothing" if case.found_share < 0.1 * case.true_share else "another thing"
    if overlap >= 0.7 * case.found_share:
        return "a part"
    return "too much" if overlap >= 0.7 * case.true_share else "a part and others"


def size_of(share: float) -> str:
    """How large a thing is that covers this share of the picture, as a range."""
    place = int(np.searchsorted(SIZES, share, side="right"))
    texts = [f"{100 * size:g} %" for size in SIZES]
    if place == 0:
        return f"below {texts[0]}"
    return f"from {texts[-1]}" if place == len(SIZES) else f"{texts[place - 1]} to {texts[place]}"


def error_tables(cases: Iterable[Case], *, types: Sequence[str] = ("noun",)) -> list[list[list[str]]]:
    """Tables, the first row the headings: by kind of error, by size, and by category, the costliest first.

    "lost" is the row's share of all IoU that is missing. Of `types` only; empty without any such case.
    """
    chosen = [case for case in cases if case.type in types and case.iou is not None]
    if not chosen:
        return []
    categories = _grouped(chosen, lambda case: case.category or "")
    known = [name for name, group in categories.items() if name and len(group) >= LEAST_CATEGORY]
    known.sort(key=lambda name: _missing(categories[name]), reverse=True)
    return [_table("error", _grouped(chosen, kind_of), KINDS),
            _table("size", _grouped(chosen, lambda case: size_of(case.true_share)), [size_of(s) for s in (0.0, *SIZES)]),
            _table("category", categories, known)]


def _grouped(cases: Iterable[Case], key: Callable[[Case], str]) -> dict[str, list[Case]]:
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[key(case)].append(case)
    return groups


def _missing(group: Sequence[Case]) -> float:
    return sum(1.0 - case.iou for case in group)


def _table(heading: str, groups: dict[str, list[Case]], order: Sequence[str]) -> list[list[str]]:
    """The rows of those groups in `order` that there are; shares are of all groups."""
    prompts = sum(map(len, groups.values()))
    missing = sum(map(_missing, groups.values())) or 1.0
    return [[heading, "prompts", "mIoU", "95 %", "lost"]] + [
        [name, f"{len(group) / prompts:.3f}", f"{np.mean([case.iou for case in group]):.3f}", _interval(group),
         f"{_missing(group) / missing:.3f}"]
        for name in order if (group := groups.get(name))]


def _interval(group: Sequence[Case]) -> str:
    return as_text(interval_of_mean([case.iou for case in group], [case.picture for case in group])) or "-"
