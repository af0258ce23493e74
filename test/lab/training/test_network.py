# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import networks
import pytest
import torch

from clipseg_ros.clipseg.weights.checkpoints import save_checkpoint
from clipseg_ros.lab.training.config import TrainingConfig
from clipseg_ros.lab.training.network import build_network


@pytest.mark.parametrize("changes, fresh", [
    ({"presence": True}, ["decoder.presence.bias", "decoder.presence.weight"]), ({"image_size": 128}, []),
    ({"coordinates": True}, ["decoder.coordinates.weight"]),
    ({"stem": True}, ["decoder.cells.weight", *(f"stem.{layer}" for layer in (
        "cells.bias", "cells.weight", "fine.bias", "fine.weight", "halves.bias", "halves.weight", "patches.weight"))])])
def test_a_network_grows_and_keeps_its_weights(tmp_path, changes, fresh):
    small = networks.network(refined=True)
    save_checkpoint(small, tmp_path / "small.safetensors")
    large = build_network(TrainingConfig(weights=str(tmp_path / "small.safetensors"), grow=changes))
    kept, now = small.state_dict(), large.state_dict()
    assert sorted(set(now) - set(kept)) == fresh and all(torch.equal(now[name], kept[name]) for name in kept)
    assert large.config == replace(small.config, **changes)


@pytest.mark.parametrize("changes", [{"reduce_dim": 16}, {"extract_layers": [0, 1]}])
def test_what_loses_or_reshapes_layers_is_refused(tmp_path, changes):
    save_checkpoint(networks.network(), tmp_path / "small.safetensors")
    with pytest.raises(ValueError, match="cannot grow"):
        build_network(TrainingConfig(weights=str(tmp_path / "small.safetensors"), grow=changes))
