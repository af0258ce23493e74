# SPDX-License-Identifier: Apache-2.0
"""Results as files, and as rows of the Markdown table in benchmarks/README.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipseg_ros.lab.benchmarking.cases import OURS
from clipseg_ros.lab.benchmarking.suite import FORMAT

COLUMNS = ("machine", "network", "prompts", "this package, ms", "of the limit", "`transformers`, ms", "ratio",
           "OpenVINO, ms", "ratio")
"""Headings of the Markdown table."""

_PEERS = ("transformers", "openvino")


def write_result(result: Mapping[str, Any], path: Path) -> None:
    """Write what `suite.run_suite` returned as JSON, making its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def read_result(path: Path) -> dict[str, Any]:
    """Read what `write_result` wrote; ValueError for anything else, OSError for a file that cannot be read."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        known = result["format"] == FORMAT
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise ValueError(f"{path} is no result of this version; `clipseg benchmark --json {path}` writes one")
    return result


def to_rows(result: Mapping[str, Any]) -> list[str]:
    """Markdown rows under `COLUMNS`, one for each case."""
    rows = []
    side = "x".join(map(str, result["settings"]["input_size"]))
    for network in result["networks"]:
        name = f"{network['backend']} {network['precision']}, {side}"
        cases = [(str(case["prompts"]), case) for case in network["images"]]
        for prompts, case in (*cases, ("1 new, image seen", network["new_prompt"])):
            rows.append(_row([_name_machine(result, network), name, prompts, *_figures(case)]))
    return rows


def header() -> list[str]:
    """The two lines above the rows."""
    return [_row(COLUMNS), "|" + "---|" * len(COLUMNS)]


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _name_machine(result: Mapping[str, Any], network: Mapping[str, Any]) -> str:
    machine = result["machine"]
    if network["device"] != "cpu":
        return machine["gpu"].partition(",")[0]
    threads = machine["threads"]
    used = f"{threads} thread{'' if threads == 1 else 's'}"
    return ", ".join([machine["processor"], used, *machine["instruction_sets"]])


def _figures(case: Mapping[str, Any]) -> list[str]:
    share = case["share_of_limit"]
    cells = [_ms(case["ms"][OURS]["median"]), "-" if share is None else f"{100 * share:.0f} %"]
    for peer in _PEERS:
        known = peer in case["ratios"]
        cells += [_ms(case["ms"][peer]["median"]), f"{case['ratios'][peer]:.1f}"] if known else ["-", "-"]
    return cells


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
