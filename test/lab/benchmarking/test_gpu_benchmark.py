# SPDX-License-Identifier: Apache-2.0
"""benchmarks/gpu.py runs without a GPU, and says so."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_on_a_cpu():
    arguments = ["--device", "cpu", "--weights", "demo", "--repeats", "1", "--check", "4", "--input-size", "64"]
    ended = subprocess.run([sys.executable, ROOT / "benchmarks" / "gpu.py", *arguments], text=True, capture_output=True,
                           env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])})
    assert ended.returncode == 0, ended.stderr
    for row in ("first frame", "one prompt", "8 prompts", "four cameras"):
        assert row in ended.stdout
    assert "float16: 0 of 4 random images" in ended.stdout
    assert ended.stdout.splitlines()[-1] == (
        "this ran on a CPU: the times say nothing about a GPU, and their bars were not judged")
    assert "bar 1.0" not in ended.stdout
