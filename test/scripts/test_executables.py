# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
HANGING = """
import sys, time
print("importing", flush=True)
while True:
    try:
        time.sleep(1)
    except BaseException as error:
        raise ImportError("a library that turns Ctrl-C into an error of its own") from error
"""


@pytest.mark.parametrize("request_", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("script, module", [("clipseg_node", "ros/node"), ("scene_camera", "demo/scene_camera")])
def test_ctrl_c_while_the_libraries_are_loaded_ends_quietly(tmp_path, script, module, request_):
    package = (tmp_path / "clipseg_ros" / module).parent
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package.parent / f"{module}.py").write_text(HANGING)
    process = subprocess.Popen([sys.executable, str(SCRIPTS / script)], env=dict(os.environ, PYTHONPATH=str(tmp_path)),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "importing\n"
    process.send_signal(request_)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Error" not in errors and "Traceback" not in errors
    assert ("starting" in errors) == (script == "clipseg_node"), "something is said before it takes long"
