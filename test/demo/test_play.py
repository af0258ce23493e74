# SPDX-License-Identifier: Apache-2.0
"""`make play` as a person starts it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("aiohttp", reason="needs aiohttp (extra `web`)")

from pages import connected  # noqa: E402

pytestmark = pytest.mark.ros
PATIENCE = 120.0


def start(*arguments: str, folder) -> subprocess.Popen:
    environment = dict(os.environ, TMPDIR=str(folder), PYTHONUNBUFFERED="1")
    command = [sys.executable, "-m", "clipseg_ros.demo.play", "--device", "cpu", "--port", "0", *arguments]
    return subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=environment)


def test_camera_node_and_page_are_there_until_it_is_interrupted(tmp_path):
    process = start("--weights", "untrained", folder=tmp_path)
    try:
        address = next((line for line in process.stdout if "open http" in line), "")
        assert address, process.stderr.read()

        async def look():
            async with connected(SimpleNamespace(port=int(address.split(":")[3].partition("/")[0]))) as client:
                await client.ask(do="add", text="mug")
                while True:
                    view, _ = await client.next("view", patience=PATIENCE)
                    if "mug" in view["scores"]:
                        return view["size"]
        assert asyncio.run(look()) == [640, 480]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0 and "Traceback" not in errors
    assert not list(tmp_path.glob("clipseg_node_*")), "the node's log goes with it"


@pytest.mark.parametrize("arguments, words", [(("--weights", "no/such/file"), "there are no weights 'no/such/file'"),
                                              (("--port", "70000"), "70000")])
def test_a_failure_is_one_sentence(tmp_path, arguments, words):
    process = start(*arguments, folder=tmp_path)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and words in errors and "Traceback" not in errors
