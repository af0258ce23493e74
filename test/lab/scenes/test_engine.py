# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys

import pytest


def run(code, **environment):
    """The exit status and error output of some Python in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stderr


def test_the_network_can_be_loaded_after_something_was_drawn(rendering):
    pytest.importorskip("torch")
    code = "from clipseg_ros.lab.scenes.home import check_drawing; check_drawing(); import torch._dynamo"
    status, error = run(code)
    assert status == 0, error


def test_a_renderer_that_does_not_exist_is_refused(rendering):
    status, error = run("import clipseg_ros.lab.scenes.engine", MUJOCO_GL="crayons")
    assert status == 1 and "MUJOCO_GL=crayons" in error.splitlines()[-1]
    assert error.splitlines()[-1].startswith("ImportError: rendering needs MuJoCo")
