# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.mark.parametrize("script, module", [("clipseg_node", "ros/node"), ("scene_camera", "demo/scene_camera")])
def test_ctrl_c_while_the_libraries_are_loaded_ends_quietly(tmp_path, script, module):
    package = (tmp_path / "clipseg_ros" / module).parent
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package.parent / f"{module}.py").write_text("raise KeyboardInterrupt")
    process = subprocess.run([sys.executable, str(SCRIPTS / script)], env=dict(os.environ, PYTHONPATH=str(tmp_path)),
                             capture_output=True, text=True, timeout=60)
    assert (process.returncode, process.stderr) == (0, "")
