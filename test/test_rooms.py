# SPDX-License-Identifier: Apache-2.0
"""Imports point down the floors, and what a robot runs does not bring the laboratory along."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Container
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "clipseg_ros"

GENERATED = {"action", "msg", "srv"}
MAY_IMPORT = {
    "recorded": set(),
    "perception": set(),
    # What a camera sends and what is sent of it: for the node and for recordings, so it knows no middleware.
    "messages": {"perception"},
    "clipseg": {"perception", "recorded"},
    "memory": {"clipseg", "perception"},
    "ros": {"clipseg", "perception", "messages", "memory", *GENERATED},
    "web": {"clipseg", "perception", "messages", "ros", *GENERATED},
    # Recordings are searched without ROS, with what the node is made of.
    "bags": {"clipseg", "messages", "perception"},
    "lab": {"clipseg", "perception", "memory", "recorded"},
    "demo": {"clipseg", "perception", "messages", "recorded", "lab", "ros", "web", *GENERATED},
    "commands": {"clipseg", "perception", "memory", "recorded", "lab", "bags", "ros", "web", *GENERATED},
    "cli": {"commands"},
}
NEVER = {"perception": {"torch", "rclpy"}, "messages": {"torch", "rclpy"}, "clipseg": {"rclpy"},
         "memory": {"torch", "rclpy"}, "bags": {"rclpy"}, "lab": {"rclpy"}, "commands": {"rclpy"}}
NODES = {PACKAGE / "web" / name for name in ("node.py", "remote.py", "watched.py", "health.py")}
"""The files of the page that follow a running node; the others serve it without ROS as well."""
VISITORS = {PACKAGE / "commands" / name for name in ("watch.py", "ask.py")}
"""The commands that talk to a running node; the others do without ROS, and these too until they run."""


def imported(file: Path, *, without: Container[int] = ()) -> set[str]:
    """The modules that a file imports anywhere but in those lines, for people who type-check as well."""
    nodes = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
             if isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno not in without]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imported_at_once(file: Path) -> set[str]:
    """The modules that importing a file imports: those outside of its functions."""
    functions = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
                 if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inside = {line for node in functions for line in range(node.lineno, node.end_lineno + 1)}
    return imported(file, without=inside)


def files(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py")) or [PACKAGE / f"{room}.py"]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_down(room):
    for file in files(room):
        rooms = {name.split(".")[1] for name in imported(file) if name.startswith("clipseg_ros.")}
        assert rooms - {room, "__version__"} <= MAY_IMPORT[room], file
        brought = imported_at_once(file) if file in VISITORS else imported(file)
        assert not {name.split(".")[0] for name in brought} & NEVER.get(room, set()), file


def test_only_the_visiting_commands_know_of_ros_and_only_while_they_run():
    for file in files("commands"):
        names = imported_at_once(file) if file in VISITORS else imported(file)
        rooms = {name.split(".")[1] for name in names if name.startswith("clipseg_ros.")}
        assert not rooms & {"ros", *GENERATED}, file
    assert all(any(name.startswith("clipseg_ros.srv") for name in imported(file)) for file in VISITORS)


def test_the_page_is_served_without_ros():
    for file in set(files("web")) - NODES:
        rooms = {name.split(".")[1] for name in imported(file) if name.startswith("clipseg_ros.")}
        assert not rooms & {"ros", *GENERATED} and "rclpy" not in {name.split(".")[0] for name in imported(file)}, file


def test_every_file_is_in_a_room():
    inside = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert inside <= {*MAY_IMPORT, "__init__"}


@pytest.mark.ros
def test_the_node_speaks_before_the_slow_libraries_are_loaded():
    code = "import clipseg_ros.ros.node, sys; sys.exit(bool({'torch', 'open_clip', 'transformers'} & {*sys.modules}))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.ros
def test_the_node_brings_nothing_of_the_laboratory_along():
    code = ("import clipseg_ros.ros.node, clipseg_ros.clipseg.onnx.cache, sys; "
            "print([name for name in sys.modules if name.startswith('clipseg_ros.')])")
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = ast.literal_eval(ended.stdout)
    assert "clipseg_ros.ros.pipeline" in loaded
    assert not [name for name in loaded if name.split(".")[1] in ("lab", "demo", "commands", "web")]


@pytest.mark.ros
def test_the_page_of_a_node_loads_neither_laboratory_nor_pytorch():
    pytest.importorskip("aiohttp")
    code = ("import clipseg_ros.web.node, sys; "
            "print([name for name in sys.modules if name == 'torch' or name.startswith('clipseg_ros.lab')])")
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ast.literal_eval(ended.stdout) == []
