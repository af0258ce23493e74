# SPDX-License-Identifier: Apache-2.0
"""An evaluation as one HTML file: figures, curves over the threshold, and the best and worst cases."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from clipseg_ros.lab.datasets.folder import TYPES
from clipseg_ros.lab.evaluation.gallery import Gallery, Shown
from clipseg_ros.lab.evaluation.report import tables
from clipseg_ros.lab.evaluation.run import Evaluation
from clipseg_ros.lab.evaluation.segmentation import THRESHOLDS

_HEAD = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
_CURVES = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#a463f2", "#97bbf5", "#9c6b4e")
_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:1320px;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #8884}
td:first-child,th:first-child{text-align:left}.cases{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;max-width:100%}figure img{max-width:100%;border-radius:4px;display:block}
figcaption{max-width:620px}small{opacity:.7}
"""


def write_page(
    evaluation: Evaluation, gallery: Gallery, directory: str | Path, *, title: str
) -> Path:
    """Write `index.html` into `directory` (made if missing); it needs no other file. Return its path."""
    parts = [_HEAD, f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>"]
    parts.append(f"<p>{evaluation.pictures} pictures, threshold {evaluation.threshold:g}.</p>")
    parts += [_table(table) for table in tables(evaluation)]
    parts.append(f"<h2>mIoU over the threshold</h2>{_curves(evaluation)}<h2>Cases</h2>")
    parts.append(
        "<p>Left: the picture with the outline of what is meant (green). Right: the probability as brightness"
        " with the outline at the threshold (red). A visual prompt's example comes third.</p>"
    )
    for kind in TYPES:
        for word, cases in (("best", gallery.best(kind)), ("worst", gallery.worst(kind))):
            if cases:
                parts.append(f"<h3>{kind}: {word}</h3><div class=cases>{''.join(map(_figure, cases))}</div>")
    path = Path(directory) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return path


def _figure(shown: Shown) -> str:
    case = shown.case
    facts = [f"highest {case.score:.2f}", f"found {case.found_share:.1%} of {case.true_share:.1%}"]
    if case.iou is not None:
        facts.insert(0, f"IoU {case.iou:.3f}")
    if case.right is not None:
        facts.append("right object" if case.right else "wrong object")
    data = base64.b64encode(shown.jpeg).decode()
    return (
        f"<figure><img src='data:image/jpeg;base64,{data}' alt=''><figcaption><b>{escape(case.phrase)}</b> "
        f"{', '.join(facts)} <small>{escape(case.picture)}</small></figcaption></figure>"
    )


def _table(table: list[list[str]]) -> str:
    rows = [
        "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"
        for tag, row in zip(["th", *["td"] * (len(table) - 1)], table)
    ]
    return f"<table>{''.join(rows)}</table>"


def _curves(evaluation: Evaluation, width: int = 620, height: int = 260) -> str:
    """Return an SVG of mIoU against the threshold, one line per type, both axes from 0 to 1."""
    frame = "fill=none stroke=currentColor stroke-opacity=.3"
    lines = [f"<rect x=40 y=10 width={width} height={height} {frame} />"]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = 40 + tick * width, 10 + (1 - tick) * height
        lines.append(f"<text x=34 y={y + 4:.0f} text-anchor=end>{tick:g}</text>")
        lines.append(f"<text x={x:.0f} y={height + 28} text-anchor=middle>{tick:g}</text>")
    curves = {name: f["curves"]["miou"] for name, f in evaluation.figures.items() if "curves" in f}
    for number, ((name, values), colour) in enumerate(zip(curves.items(), _CURVES)):
        known = [(40 + t * width, 10 + (1 - v) * height) for t, v in zip(THRESHOLDS, values) if v is not None]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in known)
        lines.append(f"<polyline points='{points}' fill=none stroke='{colour}' stroke-width=2 />")
        lines.append(f"<text x={width + 52} y={24 + 20 * number} fill='{colour}'>{escape(name)}</text>")
    size = f"viewBox='0 0 {width + 140} {height + 36}' width={width + 140}"
    return f"<svg {size} font-size=13 fill=currentColor>{''.join(lines)}</svg>"
