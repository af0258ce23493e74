# SPDX-License-Identifier: Apache-2.0
"""The demonstration as a person starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import cv2
import pytest

pytest.importorskip("rclpy")
pytestmark = pytest.mark.ros

PATIENCE = 240.0


def start(*arguments: str, folder) -> subprocess.Popen:
    environment = dict(os.environ, TMPDIR=str(folder), PYTHONUNBUFFERED="1")
    return subprocess.Popen([sys.executable, "-m", "clipseg_ros.demo.run", *arguments], cwd=folder, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def test_table_picture_and_a_stopped_node(tmp_path):
    output, errors = start("--weights", "untrained", "--device", "cpu", folder=tmp_path).communicate(timeout=PATIENCE)
    assert "Traceback" not in errors
    for prompt in ("something to sit on", "the red cup"):
        assert re.search(rf"^{prompt} +[01]\.\d\d +[01]\.\d\d ", output, re.MULTILINE), output + errors
    assert "UNTRAINED" in output
    assert re.search(r"/clipseg/segment: 6 prompts on the newest image in \d+ ms", output)
    picture = cv2.imread(str(tmp_path / "demo.png"))
    assert picture.shape[1] > 1000 and picture.std() > 20
    assert not list(tmp_path.glob("clipseg_node_*")), "the node's log goes with it"


@pytest.mark.parametrize("arguments, complaint", [
    (("--weights", "no/such/file"), "there are no weights 'no/such/file'"),
    (("-o", "no/such/folder/demo.png"), "the folder no/such/folder for the picture does not exist"),
])
def test_a_failure_is_one_sentence(tmp_path, arguments, complaint):
    process = start(*arguments, folder=tmp_path)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert complaint in errors and errors.count("\n") == 1


def test_weights_that_the_node_refuses_are_reported(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    process = start("--weights", "bad.safetensors", folder=tmp_path)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "the node does not run" in errors and "bad.safetensors" in errors and errors.count("\n") == 1


def test_interrupting_stops_everything(tmp_path):
    process = start("--weights", "untrained", folder=tmp_path)
    for line in process.stdout:
        if "starting the node" in line:
            break
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in errors
