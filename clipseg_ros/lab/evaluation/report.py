# SPDX-License-Identifier: Apache-2.0
"""An evaluation as a table for people, and as CSV and JSON for programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from clipseg_ros import __version__
from clipseg_ros.lab.evaluation.intervals import as_text
from clipseg_ros.lab.evaluation.run import Evaluation
from clipseg_ros.lab.evaluation.segmentation import THRESHOLDS

_COLUMNS = {
    "prompts": lambda f: str(f["prompts"]),
    "mIoU": lambda f: _text(f.get("miou")),
    "95 %": lambda f: _interval(f, "miou"),
    "class mIoU": lambda f: _text(f.get("class_miou")),
    "IoU_FG": lambda f: _text(f.get("iou_fg")),
    "IoU_BIN": lambda f: _text(f.get("iou_bin")),
    "AP": lambda f: _text(f.get("ap")),
    "best mIoU (at)": lambda f: _best(f),
    "right (chance)": lambda f: _with(f.get("right_object"), f.get("right_object_chance")),
    "right 95 %": lambda f: _interval(f, "right_object"),
    "empty": lambda f: _text(f.get("empty")),
    "empty 95 %": lambda f: _interval(f, "empty"),
}
"""Heading of a column -> how to take its text from the figures of one type."""
_MATTING_COLUMNS = {
    "SAD": ("whole", "sad", 2),
    "MSE": ("whole", "mse", 4),
    "MAD": ("whole", "mad", 4),
    "SAD(E)": ("entities", "sad", 2),
    "MSE(E)": ("entities", "mse", 4),
    "MAD(E)": ("entities", "mad", 4),
    "SAD unknown": ("unknown", "sad", 2),
    "MSE unknown": ("unknown", "mse", 4),
    "MAD unknown": ("unknown", "mad", 4),
}


def tables(evaluation: Evaluation) -> list[list[list[str]]]:
    """Return the tables of an evaluation, rows of cells, the first row the headings, without empty columns.

    The first table has the segmentation measures, a second one the matting measures where they were taken.
    """
    segmentation = [["type", *_COLUMNS]]
    matting = [["type", *_MATTING_COLUMNS]]
    for name, figures in evaluation.figures.items():
        segmentation.append([name, *(take(figures) for take in _COLUMNS.values())])
        if "matting" in figures:
            errors = figures["matting"]
            cells = (_text(errors[region][key], digits) for region, key, digits in _MATTING_COLUMNS.values())
            matting.append([name, *cells])
    return [_without_empty(table) for table in (segmentation, matting) if len(table) > 1]


def to_text(given: Sequence[Sequence[Sequence[str]]]) -> str:
    """Return tables as lines of aligned columns."""
    lines = []
    for table in given:
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        for row in table:
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
            lines.append("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
        lines.append("")
    return "\n".join(lines[:-1])


def write_json(evaluation: Evaluation, path: str | Path, **about: object) -> None:
    """Write figures and cases; `about` (weights, data, ...) goes to the top. Makes the file's folder."""
    content = {
        **about,
        "clipseg_ros": __version__,
        "threshold": evaluation.threshold,
        "thresholds_of_curves": THRESHOLDS,
        "pictures": evaluation.pictures,
        "figures": evaluation.figures,
        "cases": [asdict(case) for case in evaluation.cases],
    }
    _write(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_csv(evaluation: Evaluation, path: str | Path, **about: object) -> None:
    """Write one row per type of prompt with every figure but the curves; nested names are joined by dots."""
    rows = [{**about, "type": name, **_flat(figures)} for name, figures in evaluation.figures.items()]
    headings = list(dict.fromkeys(heading for row in rows for heading in row))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, headings)
        writer.writeheader()
        writer.writerows(rows)


def _flat(figures: Mapping, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        elif not isinstance(value, list):
            flat[prefix + name] = value
    return flat


def _without_empty(table: list[list[str]]) -> list[list[str]]:
    kept = [column for column in range(len(table[0])) if any(row[column] for row in table[1:])]
    return [[row[column] or "-" for column in kept] for row in table]


def _text(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _with(value: float | None, other: float | None) -> str:
    return "" if value is None or other is None else f"{value:.3f} ({other:.2f})"


def _interval(figures: Mapping, name: str) -> str:
    return as_text(figures.get("interval", {}).get(name))


def _best(figures: Mapping) -> str:
    best = figures.get("best", {}).get("miou")
    return "" if best is None else _with(best["value"], best["threshold"])


def _write(path: str | Path, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")
