# SPDX-License-Identifier: Apache-2.0
"""`clipseg` ends with one sentence for what a user can do something about, and with a trace for its own faults."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from clipseg_ros.cli import main
from clipseg_ros.clipseg.cuda import OutOfMemoryError
from clipseg_ros.commands import weights


@pytest.mark.parametrize("error, status, sentence", [
    (ValueError("this is wrong"), 1, "clipseg weights: this is wrong\n"),
    (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), 1,
     "clipseg weights: the GPU's memory does not suffice; --device cpu does without it\n"),
    (KeyboardInterrupt(), 130, "clipseg weights: interrupted\n"),
])
def test_one_sentence(monkeypatch, capsys, error, status, sentence):
    def fail(args):
        raise error

    monkeypatch.setattr(weights, "run", fail)
    assert main(["weights", "list"]) == status
    assert capsys.readouterr().err == sentence


def test_its_own_faults_are_not_hidden(monkeypatch):
    def fail(args):
        raise RuntimeError("a fault")

    monkeypatch.setattr(weights, "run", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        main(["weights", "list"])


def test_a_reader_that_has_gone_ends_the_command_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as output:
        ended = subprocess.run([sys.executable, "-m", "clipseg_ros.cli", "weights", "list"], stdout=output,
                               stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_broken_pipe_elsewhere_is_an_error(monkeypatch, capsys):
    def fail(args):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(weights, "run", fail)
    assert main(["weights", "list"]) == 1
    assert capsys.readouterr().err == "clipseg weights: [Errno 32] Broken pipe\n"


def test_what_the_terminal_cannot_show_is_escaped():
    program = ("import sys\nfrom clipseg_ros import cli\nfrom clipseg_ros.commands import weights\n"
               "weights.run = lambda args: print('caf\\u00e9 \\udce9') or 0\nsys.exit(cli.main(['weights', 'list']))")
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False,
                           env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (ended.returncode, ended.stdout) == (0, b"caf\\xe9 \\udce9\n"), ended.stderr
