# SPDX-License-Identifier: Apache-2.0
"""Imports point down the floors, and what a robot runs does not bring the laboratory along."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "clipseg_ros"

GENERATED = {"msg", "srv"}
MAY_IMPORT = {
    "recorded": set(),
    "perception": set(),
    "clipseg": {"perception", "recorded"},
    "ros": {"clipseg", "perception", *GENERATED},
    "lab": {"clipseg", "perception", "recorded"},
    "demo": {"clipseg", "perception", "recorded", "lab", "ros", *GENERATED},
    "commands": {"clipseg", "perception", "recorded", "lab"},
    "cli": {"commands"},
}
NEVER = {"perception": {"torch", "rclpy"}, "clipseg": {"rclpy"}, "lab": {"rclpy"}, "commands": {"rclpy"}}


def imported(file: Path) -> set[str]:
    """The modules that a file imports anywhere in it, for people who type-check as well."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def files(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py")) or [PACKAGE / f"{room}.py"]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_down(room):
    for file in files(room):
        rooms = {name.split(".")[1] for name in imported(file) if name.startswith("clipseg_ros.")}
        assert rooms - {room, "__version__"} <= MAY_IMPORT[room], file
        assert not {name.split(".")[0] for name in imported(file)} & NEVER.get(room, set()), file


def test_every_file_is_in_a_room():
    inside = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert inside <= {*MAY_IMPORT, "__init__"}


@pytest.mark.ros
def test_the_node_brings_nothing_of_the_laboratory_along():
    code = ("import clipseg_ros.ros.node, clipseg_ros.clipseg.onnx.cache, sys; "
            "print([name for name in sys.modules if name.startswith('clipseg_ros.')])")
    loaded = ast.literal_eval(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert "clipseg_ros.ros.pipeline" in loaded
    assert not [name for name in loaded if name.split(".")[1] in ("lab", "demo", "commands")]
