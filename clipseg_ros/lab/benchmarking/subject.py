# SPDX-License-Identifier: Apache-2.0
"""The network that is measured, and the same weights as a folder that other programs read."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from clipseg_ros.clipseg.model import VIT_B_16, CLIPSeg
from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint
from clipseg_ros.lab.benchmarking import hugging_face

PUBLISHED_SIZE = "published-size"
RANDOM = {PUBLISHED_SIZE: True, "published-size-plain": False}
"""Names of random weights in the size of the published ones, and whether their head is the refined one."""


@dataclass(frozen=True)
class Subject:
    """The network that is measured.

    Attributes
    ----------
    model : float32, on the CPU.
    name : of the weights.
    random : whether masks mean nothing.
    folder : checkpoint in the Hugging Face layout with the same weights; None without one.
    """

    model: CLIPSeg
    name: str
    random: bool
    folder: Path | None


@contextlib.contextmanager
def open_subject(weights: str, *, for_peers: bool, allow_download: bool = False) -> Iterator[Subject]:
    """The network that `weights` names: a name of `RANDOM`, or what `load_checkpoint` takes.

    Parameters
    ----------
    for_peers : whether random weights come as a folder too, while the context lasts. That takes transformers, which
        writes it; without transformers they do not.

    Raises as `load_checkpoint`.
    """
    if weights not in RANDOM:
        checkpoint = load_checkpoint(weights, allow_download=allow_download)
        folder = checkpoint.source if checkpoint.source is not None and checkpoint.source.is_dir() else None
        yield Subject(checkpoint.model, checkpoint.name, not checkpoint.trained, folder)
        return
    with tempfile.TemporaryDirectory(prefix="clipseg_benchmark_") as name:
        folder = Path(name) if for_peers and hugging_face.is_installed() else None
        if folder is None:
            model = _make_random(refined=RANDOM[weights])
        else:
            hugging_face.write_random_checkpoint(folder, refined=RANDOM[weights])
            model = load_checkpoint(folder).model
        yield Subject(model, weights, True, folder)


def _make_random(*, refined: bool) -> CLIPSeg:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CLIPSeg(replace(VIT_B_16, refined=refined)).eval()
