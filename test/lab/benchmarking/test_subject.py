# SPDX-License-Identifier: Apache-2.0
"""The network that is measured, and the folder that peers read."""

import sys

import pytest
import tiny_checkpoint
import torch

from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint, save_checkpoint
from clipseg_ros.lab.benchmarking import hugging_face, subject
from clipseg_ros.lab.benchmarking.subject import open_subject


@pytest.fixture
def small(monkeypatch):
    """The published size, but small."""
    monkeypatch.setattr(subject, "VIT_B_16", SMALL)
    monkeypatch.setattr(hugging_face, "PUBLISHED", tiny_checkpoint.CONFIG)


@pytest.mark.parametrize(("weights", "refined"), [("published-size", True), ("published-size-plain", False)])
def test_random_weights_for_everybody(small, weights, refined):
    pytest.importorskip("transformers")
    state = torch.get_rng_state()
    with open_subject(weights, for_peers=True) as first:
        assert (first.name, first.random) == (weights, True)
        assert first.model.config.refined is refined and first.model.config.reduce_dim == 8
        assert first.model.config.image_size == 352, "peers and this package must squash images alike"
        theirs = load_checkpoint(first.folder).model.state_dict()
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in first.model.state_dict().items())
    assert not first.folder.exists()
    with open_subject(weights, for_peers=True) as second:
        assert torch.equal(first.model.decoder.film_mul.weight, second.model.decoder.film_mul.weight)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("installed", [True, False])
def test_random_weights_without_peers(small, monkeypatch, installed):
    if not installed:
        monkeypatch.setitem(sys.modules, "transformers", None)
    with open_subject("published-size", for_peers=not installed) as found:
        assert found.folder is None and found.random
        assert found.model.config.refined and found.model.config.reduce_dim == SMALL.reduce_dim


def test_weights_of_ones_own(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_checkpoint(CLIPSeg(SMALL), path)
    with open_subject(str(path), for_peers=True) as found:
        assert (found.name, found.random, found.folder) == ("mine", False, None)
    save_checkpoint(CLIPSeg(SMALL), path, metadata={"trained": False})
    with open_subject(str(path), for_peers=True) as found:
        assert found.random


def test_a_folder_in_the_hugging_face_layout(tmp_path):
    pytest.importorskip("transformers")
    tiny_checkpoint.write(tmp_path)
    with open_subject(str(tmp_path), for_peers=True) as found:
        assert (found.random, found.folder) == (False, tmp_path)
        assert found.model.config.image_size == tiny_checkpoint.SIDE
    assert tmp_path.exists(), "folders of others are left alone"


def test_weights_that_are_not_there():
    with pytest.raises(FileNotFoundError, match="no file or directory 'nowhere'"):
        with open_subject("nowhere", for_peers=True):
            pass
