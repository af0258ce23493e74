# SPDX-License-Identifier: Apache-2.0
"""Poses against the ground truth of the simulated home, as the benchmark measures them."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_poses_of_the_simulated_home_are_within_the_bars(rendering, tmp_path):
    figures = tmp_path / "figures.json"
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), *sys.path]))
    command = [sys.executable, str(ROOT / "benchmarks" / "pose_accuracy.py"), "--scenes", "12", "--json", str(figures)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    found = json.loads(figures.read_text())
    assert found["objects"] >= 5
    assert found["centroid_median_mm"] <= 5 and found["centroid_95_mm"] <= 20
    assert found["noisy_median_mm"] <= 10
    assert found["normal_median_deg"] <= 5
