# SPDX-License-Identifier: Apache-2.0
"""What the camera's launch file makes of its arguments; skipped where launch is not installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="needs launch_ros, which comes with a ROS 2 installation")

FILE = Path(__file__).resolve().parents[2] / "launch" / "scene_camera.launch.py"


@pytest.fixture
def launch():
    spec = importlib.util.spec_from_file_location("scene_camera_launch", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_argument_is_described(launch):
    declared = launch.generate_launch_description().get_launch_arguments()
    assert {argument.name for argument in declared} == set(launch.ARGUMENTS)
    assert all(len(argument.description) > 10 for argument in declared)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"scene": "3", "dwell": "0"}, {"scene": 3, "dwell": 0.0}),
        ({"mode": "orbit", "kind": "floor", "rate": "5"}, {"mode": "orbit", "kind": "floor", "rate": 5.0}),
        (
            {"reliability": "best_effort", "use_sim_time": "true"},
            {"reliability": "best_effort", "use_sim_time": True},
        ),
    ],
)
def test_only_given_arguments_win_over_the_file(launch, given, expected):
    values = {name: default for name, (default, _, _) in launch.ARGUMENTS.items()}
    assert launch.given_parameters({**values, **given}) == {"use_sim_time": False, **expected}
