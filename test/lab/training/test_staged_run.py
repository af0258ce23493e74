# SPDX-License-Identifier: Apache-2.0
"""Stages on a tiny network: weights are passed on, averaged, and kept over interruptions."""

from __future__ import annotations

import shutil
from dataclasses import is_dataclass, replace

import pytest
import shapes
import torch
import yaml
from networks import TINY

from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint
from clipseg_ros.clipseg.weights.tensorfile import TensorFile
from clipseg_ros.lab.training import staged_run
from clipseg_ros.lab.training.loop import Trainer
from clipseg_ros.lab.training.staged_run import train_stages
from clipseg_ros.lab.training.stages import RenderedScenes, load_training

BASE = {
    "end_to_end": True,
    "data": {"kind": "scenes", "workers": 0, "validation_batches": 1},
    "scenes": {"side": 32, "batch_size": 2, "prompts": 2, "supports": 1},
    "loss": {"dice": 1.0},
    "auxiliary": {"patch_class": 0.1},
    "optimiser": {"average": 0.9, "peak": 0.01},
    "run": {"iterations": 3, "device": "cpu", "checkpoint_every": 1, "validate_every": 100},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small gain nothing from more threads and lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """Two stages of three steps; the second one's weights are averaged with the first one's."""
    folder = tmp_path_factory.mktemp("home")
    shapes.write_scenes(folder / "scenes", 6, side=32)
    file = {
        "base": BASE,
        "stages": [
            {"name": "first", "changes": {"network": TINY, "vocabulary": "home"}},
            {"name": "second", "changes": {"seed": 1}, "mean": {"share": 0.75, "half": True}},
        ],
    }
    (folder / "stages.yaml").write_text(yaml.safe_dump(file))
    return load_training(folder / "stages.yaml", [f"data.path={folder / 'scenes'}"])


@pytest.fixture(scope="module")
def whole(stages, tmp_path_factory):
    """The folder of a training that nothing interrupted."""
    directory = tmp_path_factory.mktemp("whole")
    train_stages(stages, directory, quiet=True)
    return directory


def weights(path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).model.state_dict()


def test_each_stage_goes_on_from_the_one_before(whole):
    started = yaml.safe_load((whole / "second" / "config.yaml").read_text())
    assert started["weights"] == str(whole / "first" / "result.safetensors")
    passed_on = (whole / "first" / "result.safetensors").read_bytes()
    assert passed_on == (whole / "first" / "model.safetensors").read_bytes()


def test_the_last_weights_are_the_mean_in_half_precision(whole):
    assert (whole / "model.safetensors").read_bytes() == (whole / "second" / "result.safetensors").read_bytes()
    first, second = weights(whole / "first" / "result.safetensors"), weights(whole / "second" / "model.safetensors")
    mean = weights(whole / "model.safetensors")
    moved = False
    for name, tensor in mean.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, 0.75 * second[name] + 0.25 * first[name], rtol=2e-3, atol=1e-4)
            moved |= not torch.allclose(first[name], second[name], atol=1e-3)
    assert moved
    half, full = ((whole / "second" / name).stat().st_size for name in ("result.safetensors", "model.safetensors"))
    assert half < 0.6 * full
    assert TensorFile(whole / "model.safetensors").metadata["format"]


def test_an_interrupted_training_goes_on_to_the_same_weights(stages, whole, tmp_path, monkeypatch):
    trained = []
    step, average = Trainer.step, staged_run.average_files

    def interrupted(at):
        def one_step(self, parts):
            trained.append((self.directory.name, self.iteration))
            if (self.directory.name, self.iteration) == at:
                raise KeyboardInterrupt
            return step(self, parts)

        return one_step

    def stopped(*_, **__):
        raise KeyboardInterrupt

    for at in (("first", 0), ("first", 2), ("second", 1)):
        monkeypatch.setattr(Trainer, "step", interrupted(at))
        with pytest.raises(KeyboardInterrupt):
            train_stages(stages, tmp_path, quiet=True)
    assert not (tmp_path / "model.safetensors").exists()
    monkeypatch.setattr(Trainer, "step", interrupted(None))
    monkeypatch.setattr(staged_run, "average_files", stopped)
    with pytest.raises(KeyboardInterrupt):
        train_stages(stages, tmp_path, quiet=True)
    monkeypatch.setattr(staged_run, "average_files", average)
    train_stages(stages, tmp_path, quiet=True)
    assert trained == [("first", 0), *[("first", step) for step in (0, 1, 2)],
                       ("first", 2), *[("second", step) for step in (0, 1)], *[("second", step) for step in (1, 2)]]
    expected, found = weights(whole / "model.safetensors"), weights(tmp_path / "model.safetensors")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_what_is_finished_is_not_trained_again(stages, whole, tmp_path, monkeypatch, capsys):
    shutil.copytree(whole, tmp_path / "again")
    monkeypatch.setattr(Trainer, "step", None)
    (tmp_path / "again" / "model.safetensors").unlink()
    assert train_stages(stages, tmp_path / "again") == {}
    assert "stage first is finished\nstage second is finished\n" in capsys.readouterr().err
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "section, change, message",
    [
        ("seed", 9, "the stage 'first' in .* was finished with seed 0, and now it is 9; choose another folder, or"),
        ("loss", {"dice": 0.25}, "finished with loss.dice 1.0, and now it is 0.25"),
        ("run", {"iterations": 4}, "finished with run.iterations 3, and now it is 4"),
        ("network", {"reduce_dim": 8}, "finished with network "),
        ("weights", "demo", "finished with weights None, and now it is 'demo'"),
    ],
)
def test_a_finished_stage_with_other_lessons_is_refused(stages, whole, section, change, message):
    with pytest.raises(ValueError, match=message):
        train_stages([changed(stages[0], section, change), stages[1]], whole, quiet=True)


@pytest.mark.parametrize("change", [{"threads": 1}, {"log_every": 7}])
def test_how_the_machine_is_used_may_change(stages, whole, change):
    assert train_stages([changed(stage, "run", change) for stage in stages], whole, quiet=True) == {}


def changed(stage, section, change):
    """A stage with another value of a section, or some of the section's values changed."""
    old = getattr(stage.config, section)
    value = replace(old, **change) if is_dataclass(old) else change
    return replace(stage, config=replace(stage.config, **{section: value}))


def test_scenes_are_rendered_before_their_stage_and_named_folders_are_not(stages, tmp_path, monkeypatch):
    rendered = []

    def render(folder, count, *, seed):
        rendered.append((folder.relative_to(tmp_path).as_posix(), count, seed))
        shapes.write_scenes(folder, count, side=32, seed=seed)

    monkeypatch.setattr(staged_run, "render_to_disk", render)
    data = replace(stages[0].config.data, path="")
    first = replace(stages[0], training_scenes=RenderedScenes(5, 2), validation_scenes=RenderedScenes(2, 1),
                    config=replace(stages[0].config, data=data))
    second = replace(stages[1], training_scenes=RenderedScenes(4, 3))
    figures = train_stages([first, second], tmp_path, quiet=True)
    assert rendered == [("scenes/seed2-5", 5, 2), ("scenes/seed1-2", 2, 1)]
    used = yaml.safe_load((tmp_path / "first" / "config.yaml").read_text())["data"]
    assert used["path"].endswith("scenes/seed2-5") and used["validation"].endswith("scenes/seed1-2")
    assert yaml.safe_load((tmp_path / "second" / "config.yaml").read_text())["data"]["path"] == second.config.data.path
    assert figures == {}  # the second stage has nothing to measure on
