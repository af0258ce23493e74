# SPDX-License-Identifier: Apache-2.0
"""The command is named as it can be typed on the machine at hand."""

import shutil

import pytest

from clipseg_ros.clipseg.weights.typed import typed


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An installation by colcon that the environment knows, behind one of other packages."""
    program = tmp_path / "install" / "lib" / "clipseg_ros" / "clipseg"
    program.parent.mkdir(parents=True)
    program.touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}/opt:{tmp_path}/install")
    return program


def test_in_a_workspace(workspace, monkeypatch):
    monkeypatch.setattr(shutil, "which", {"ros2": "/opt/bin/ros2"}.get)
    assert typed("weights list") == "ros2 run clipseg_ros clipseg weights list"


def test_in_a_workspace_without_the_ros2_command(workspace, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert typed("weights list") == f"{workspace} weights list"


@pytest.mark.parametrize("prefixes", ["", "/opt/ros/other"])
def test_installed_by_pip(monkeypatch, prefixes):
    monkeypatch.setenv("AMENT_PREFIX_PATH", prefixes)
    assert typed("weights list") == "clipseg weights list"
