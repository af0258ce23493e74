# SPDX-License-Identifier: Apache-2.0
"""The training loop on a tiny network: it learns, resumes exactly, and stops on losses that are not finite."""

from __future__ import annotations

from dataclasses import replace

import pytest
import shapes
import torch

from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint
from clipseg_ros.lab.training.config import TrainingConfig, build
from clipseg_ros.lab.training.loop import Trainer
from clipseg_ros.lab.training.network import build_network
from clipseg_ros.lab.training.sources import scene_sources
from clipseg_ros.lab.training.state import load_state

NETWORK = {
    "clip": {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 64, "layers": 3, "width": 48, "head_width": 24, "patch_size": 8},
        "text_cfg": {"context_length": 12, "width": 32, "heads": 2, "layers": 1},
    },
    "extract_layers": [0, 1, 2],
    "reduce_dim": 32,
    "decoder_intermediate": 64,
    "refined": True,
    "image_size": 64,
}
VALUES = {
    "vocabulary": "home",
    "end_to_end": True,
    "network": NETWORK,
    "data": {"workers": 0, "validation_batches": 1},
    "scenes": {"side": 64, "batch_size": 4, "prompts": 3, "supports": 2, "whole": 1.0},
    "auxiliary": {"patch_class": 0.3, "patch_colour": 0.3, "patch_text": 0.3, "support_text": 0.3},
    "loss": {"balance": 0.5, "dice": 1.0, "absent_dice": 0.5},
    "optimiser": {"peak": 0.003, "clip": 1.0, "average": 0.9},
    "run": {"iterations": 6, "device": "cpu", "log_every": 2, "validate_every": 100, "checkpoint_every": 3},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small gain nothing from more threads and lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def scenes():
    return shapes.store(24), shapes.store(4, seed=9)


def make_trainer(scenes, directory, *, resume=False, **sections) -> Trainer:
    config = build(TrainingConfig, VALUES)
    for name, changes in sections.items():
        config = replace(config, **{name: replace(getattr(config, name), **changes)})
    model = build_network(config)
    sources = scene_sources(config, *scenes, patch_size=model.patch_size)
    return Trainer(model, config, sources, directory, resume=resume, quiet=True)


def test_overfits_one_batch_from_scratch(scenes, tmp_path):
    trainer = make_trainer(scenes, tmp_path)
    batch = trainer.sources.training[0]
    for _ in range(100):
        trainer._set_rate(0.0)
        _, logits, masks = trainer.step([batch])
    overlap = ((logits > 0) & masks.bool()).sum() / ((logits > 0) | masks.bool()).sum()
    assert overlap > 0.8


def test_presence_is_learned_and_gates_the_maps(scenes, tmp_path):
    config = build(TrainingConfig, {**VALUES, "network": {**NETWORK, "presence": True},
                                    "loss": {"dice": 1.0, "absent": 0.1, "presence": 1.0}})
    model = build_network(config)
    trainer = Trainer(model, config, scene_sources(config, *scenes, patch_size=model.patch_size), tmp_path, quiet=True)
    batch = trainer.sources.training[0]
    for _ in range(100):
        trainer._set_rate(0.0)
        losses, logits, masks = trainer.step([batch])
    absent = ~masks.bool().flatten(2).any(dim=-1)
    surest = logits.amax(dim=(-2, -1))
    assert losses["presence"] < 0.3 and absent.any() and surest[absent].max() < 0 < surest[~absent].median()


def test_decoder_alone_learns_on_frozen_towers(scenes, tmp_path):
    trainer = make_trainer(scenes, tmp_path)
    config = replace(
        trainer.config,
        end_to_end=False,
        auxiliary=replace(
            trainer.config.auxiliary, patch_class=0.0, patch_colour=0.0, patch_text=0.0, support_text=0.0
        ),
        loss=replace(trainer.config.loss, balance=0.0, dice=0.0, absent_dice=0.0),
    )
    before = {name: value.clone() for name, value in trainer.model.clip.state_dict().items()}
    trainer = Trainer(trainer.model, config, trainer.sources, tmp_path / "decoder", quiet=True)
    batch = trainer.sources.training[0]
    first = trainer.step([batch])[0]["segmentation"]
    for _ in range(60):
        last = trainer.step([batch])[0]["segmentation"]
    assert last < 0.6 * first
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.clip.state_dict().items())


def test_resuming_gives_the_identical_continuation(scenes, tmp_path):
    make_trainer(scenes, tmp_path / "whole").run()
    first = make_trainer(scenes, tmp_path / "parts")
    step = first.step

    def interrupted(parts):
        if first.iteration == 4:
            raise KeyboardInterrupt
        return step(parts)

    first.step = interrupted
    with pytest.raises(KeyboardInterrupt):
        first.run()
    second = make_trainer(scenes, tmp_path / "parts", resume=True)
    assert second.iteration == 3
    second.run()
    whole, parts = (load_state(tmp_path / name) for name in ("whole", "parts"))
    assert whole["iteration"] == parts["iteration"] == 6
    for mine, other in zip(whole["average"][0] + whole["parameters"], parts["average"][0] + parts["parameters"]):
        assert torch.equal(mine, other)


def test_a_run_leaves_weights_figures_and_pictures(scenes, tmp_path):
    figures = make_trainer(scenes, tmp_path, run={"iterations": 2}).run()
    assert 0.0 <= figures["iou"] <= 1.0 and "empty_absent" in figures
    for name in ("model.safetensors", "best.safetensors"):
        assert load_checkpoint(tmp_path / name).model.config.token_ids is not None
    assert len(list((tmp_path / "validation").glob("*.jpg"))) == 1
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert rows[0] == "step,name,value" and any(",validation/iou," in row for row in rows)


def test_averaged_gradients_of_parts_equal_one_batch(scenes, tmp_path):
    trainer = make_trainer(scenes, tmp_path, optimiser={"peak": 0.001, "clip": 0.0})
    batch = trainer.sources.training[0]
    trainer.step([batch])
    single = [p.grad.clone() for p in trainer.parameters if p.grad is not None]
    other = make_trainer(scenes, tmp_path / "other", optimiser={"peak": 0.001, "clip": 0.0})
    other.step([batch, batch])
    double = [p.grad for p in other.parameters if p.grad is not None]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(single, double))


@pytest.mark.parametrize("precision, kind", [("bfloat16", "adamw"), ("float32", "muon"), ("float16", "muon")])
def test_every_precision_and_optimiser_learns(scenes, tmp_path, precision, kind):
    if kind == "muon" and not hasattr(torch.optim, "Muon"):
        pytest.skip("PyTorch before 2.9 has no Muon")
    trainer = make_trainer(scenes, tmp_path, run={"precision": precision}, optimiser={"kind": kind})
    batch = trainer.sources.training[0]
    losses = [sum(trainer.step([batch])[0].values()) for _ in range(12)]
    assert losses[-1] < 0.9 * losses[0]
    assert all(parameter.dtype == torch.float32 for parameter in trainer.parameters)


def test_steps_that_are_not_finite_are_left_out_and_ten_of_them_stop_the_run(scenes, tmp_path):
    trainer = make_trainer(scenes, tmp_path)
    batch = trainer.sources.training[0]
    with torch.no_grad():
        trainer.model.decoder.film_add.bias.fill_(float("nan"))
    before = trainer.model.decoder.reduces[0].weight.clone()
    for _ in range(9):
        trainer.step([batch])
    assert torch.equal(trainer.model.decoder.reduces[0].weight, before)
    with pytest.raises(ValueError, match="not finite 10 times in a row"):
        trainer.step([batch])


def test_whole_pictures_are_named_by_the_last_block_alone(scenes, tmp_path):
    trainer = make_trainer(scenes, tmp_path, auxiliary={"image_text": 0.5})
    losses, _, _ = trainer.step([trainer.sources.training[0]])
    assert losses["image_text"] > 0.0 and trainer.model.clip.visual.proj.grad.abs().sum() > 0.0
    trainer.model.config = replace(trainer.model.config, extract_layers=(0, 1))
    with pytest.raises(ValueError, match="auxiliary.image_text needs a decoder that reads .* last block"):
        trainer.step([trainer.sources.training[0]])


def test_resuming_needs_a_state_of_the_same_network(scenes, tmp_path):
    with pytest.raises(FileNotFoundError, match="resume"):
        make_trainer(scenes, tmp_path / "none", resume=True)
    make_trainer(scenes, tmp_path).checkpoint()
    small = replace(build(TrainingConfig, VALUES), network={**NETWORK, "reduce_dim": 16})
    model = build_network(small)
    with pytest.raises(ValueError, match="another network"):
        Trainer(model, small, scene_sources(small, *scenes, patch_size=8), tmp_path, resume=True, quiet=True)
