# SPDX-License-Identifier: Apache-2.0
"""The command: one bad file costs one row, and a running node is asked and watched from a terminal."""
from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from pictures import noise

NO_NODE = "no node /nowhere appeared within 0.5 s"


def run(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "clipseg_ros.cli", *arguments], capture_output=True, check=False,
                          timeout=240, **options)


def test_one_bad_file_and_a_name_that_is_not_utf_8_cost_no_table(tmp_path):
    picture = cv2.imencode(".png", np.full((20, 30, 3), 90, np.uint8))[1].tobytes()
    (tmp_path / "photos").mkdir()
    files = {b"a.png": picture, b"caf\xe9.png": picture, b"cut.png": picture[:20], b"notes.txt": b""}
    for name, content in files.items():
        with open(os.path.join(os.fsencode(tmp_path), b"photos", name), "wb") as file:
            file.write(content)
    ended = run("segment", "photos", "gone.png", "-p", "cup", "--weights", "untrained", "--device", "cpu",
                "--threshold", "1", cwd=tmp_path)
    rows = [line.split()[0] for line in ended.stdout.splitlines()]
    assert rows == [b"PICTURE", b"photos/a.png", b"photos/caf\\xe9.png"]
    errors = [line for line in ended.stderr.splitlines() if line.startswith(b"clipseg segment: ")]
    assert len(errors) == 2 and b"photos/cut.png" in errors[0]
    assert errors[1] == b"clipseg segment: gone.png: No such file or directory"
    assert ended.returncode == 1


@pytest.mark.ros
@pytest.mark.parametrize("command", ["ask", "watch"])
def test_a_node_that_is_not_there_is_one_sentence(command):
    ended = run(command, "--node", "/nowhere", "--wait", "0.5")
    assert ended.returncode == 1 and ended.stdout == b""
    error = ended.stderr.decode()
    assert error.startswith(f"clipseg {command}: {NO_NODE}") and error.count("\n") == 1


@pytest.mark.ros
def test_one_answer(peer, node):
    from clipseg_ros.srv import Segment

    with peer.publisher(type(noise(1)), "/image") as images:
        peer.repeat(lambda: images.publish(noise(1)),
                    lambda: peer.call(Segment, "/clipseg/segment", prompts=["a"]).success, "an image at the node")
        ended = run("ask", "the red cup", "--wait", "60", text=True)
    assert ended.returncode == 0, ended.stderr
    header, *rows = ended.stdout.splitlines()
    assert header.split() == ["PROMPT", "SCORE", "AREA", "px", "AT", "px", "METRES", "x", "y", "z"]
    assert rows[0].startswith("the red cup ")


@pytest.mark.ros
def test_a_refusal_is_one_sentence(peer, node):
    ended = run("ask", "mug", "--camera", "rear", "--wait", "60", text=True)
    assert ended.returncode == 1 and ended.stdout == ""
    assert ended.stderr.startswith("clipseg ask: /clipseg refused: ") and ended.stderr.count("\n") == 1
    assert "'rear'" in ended.stderr


@pytest.mark.ros
def test_a_camera_that_the_node_does_not_have_is_one_sentence(peer, node):
    ended = run("watch", "--camera", "rear", "--wait", "3", text=True)
    assert ended.returncode == 1
    assert ended.stderr == "clipseg watch: the node /clipseg has one camera only; leave out --camera rear\n"


@contextlib.contextmanager
def watching(output):
    """`clipseg watch` in a process of its own, ended by Ctrl-C if it has not been before."""
    process = subprocess.Popen([sys.executable, "-m", "clipseg_ros.cli", "watch", "--wait", "60"], stdout=output,
                               stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"})
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupt(process: subprocess.Popen) -> None:
    """Press Ctrl-C, and see the command end without a word."""
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, b"")


@pytest.mark.ros
def test_watching_from_a_program(peer, node, tmp_path):
    peer.set_prompts("mug; chair")
    with open(tmp_path / "lines", "wb") as output, watching(output) as process, \
            peer.publisher(type(noise(1)), "/image") as images:
        def rows():
            return [line.split("\t") for line in (tmp_path / "lines").read_text().splitlines()]

        peer.repeat(lambda: images.publish(noise(5)), lambda: {"mug", "chair"} <= {row[1] for row in rows()},
                    "a line of each prompt")
        interrupt(process)
    header, *rest = rows()
    assert header[:3] == ["STAMP s", "PROMPT", "ID"]
    assert {row[0] for row in rest} == {"5.000"}
    assert all(len(row) == len(header) for row in rest)


@pytest.mark.ros
def test_watching_in_a_terminal_draws_in_place(peer, node):
    peer.set_prompts("mug")
    terminal, end = pty.openpty()
    seen = bytearray()
    over = rb"\x1b\[\d+A\r/clipseg/objects: [^\n]*\nPROMPT[^\n]*\nmug "

    def look() -> bytes:
        while select.select([terminal], [], [], 0)[0]:
            seen.extend(os.read(terminal, 65536))
        return bytes(seen)

    try:
        with watching(end) as process, peer.publisher(type(noise(1)), "/image") as images:
            peer.repeat(lambda: images.publish(noise(6)), lambda: len(re.findall(over, look(), re.DOTALL)) > 2,
                        "pictures over one another")
            interrupt(process)
    finally:
        os.close(end)
        os.close(terminal)
    assert b"/clipseg/objects: " in seen and b"mug" in seen
    assert b"\x1b[2J" not in seen and b"\x1b[?1049h" not in seen
    assert seen.rstrip().endswith(b"\x1b[?7h")
