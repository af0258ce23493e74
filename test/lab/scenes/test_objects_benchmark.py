# SPDX-License-Identifier: Apache-2.0
"""The benchmark of objects, as people run it, on two of the recorded scenes."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_objects_of_recorded_scenes_are_found_better_than_regions(tmp_path):
    figures = tmp_path / "figures.json"
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), *sys.path]))
    command = [sys.executable, str(ROOT / "benchmarks" / "objects.py"), "--recorded", "--scenes", "2",
               "--json", str(figures)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "demo weights, one thing: F1" in finished.stdout and "milliseconds" in finished.stdout
    found = json.loads(figures.read_text())
    for name in ("demo weights, one thing: F1", "demo weights, several: F1", "demo weights: share of poses within 5 cm",
                 "demo weights: boundary F (2 px)"):
        one = found[name]
        assert one["objects"] > one["regions"] + 0.1 and one["low"] <= one["objects"] <= one["high"], name
    assert found["true maps, several: F1"]["objects"] > 0.8
