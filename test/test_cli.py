# SPDX-License-Identifier: Apache-2.0
"""`clipseg` ends with one sentence for what a user can do something about, and with a trace for its own faults."""

from __future__ import annotations

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
