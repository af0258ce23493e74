# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from clipseg_ros.lab.training.config import TrainingConfig, build
from clipseg_ros.lab.training.stages import load_training

CONFIGS = Path(__file__).parents[3] / "config" / "training"


@pytest.mark.parametrize("name", ["demo_gpu", "folder", "paper", "paper_refined"])
def test_the_configurations_of_the_package_are_valid(name):
    assert isinstance(load_training(CONFIGS / f"{name}.yaml"), TrainingConfig)


def test_every_configuration_of_the_package_is_tested():
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {"demo", "demo_gpu", "folder", "paper", "paper_refined"}


def test_defaults_are_the_papers_recipe():
    config = TrainingConfig()
    assert not config.end_to_end and config.run.iterations == 20_000
    assert (config.pairs.side, config.pairs.batch_size, config.pairs.negatives, config.pairs.keep) == (
        352,
        64,
        0.2,
        0.05,
    )
    assert (config.optimiser.peak, config.optimiser.floor, config.optimiser.warmup) == (1e-3, 1e-4, 0.0)
    assert config.pairs.crop and config.pairs.templates and config.pairs.supports
    assert config.pairs.text_weight == [0.0, 1.0] and config.optimiser.kind == "adamw"
    assert (config.loss.balance, config.loss.dice, config.loss.absent_dice) == (0.0, 0.0, 0.0)


def test_paper_configurations_say_what_the_defaults_are():
    config, default = load_training(CONFIGS / "paper.yaml"), TrainingConfig()
    assert config.pairs == default.pairs and config.optimiser == default.optimiser and config.loss == default.loss
    refined = load_training(CONFIGS / "paper_refined.yaml")
    assert refined.run.iterations == 50_000 and refined.decoder == {"refined": True}


def test_changes_win_and_numbers_stay_numbers(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("optimiser: {peak: 0.1}\n")
    config = load_training(
        path, ["optimiser.peak=1e-4", "run.max_minutes=5", "data.path=a b", "scenes.side=[[0.0, 96], [0.5, 128]]"]
    )
    assert config.optimiser.peak == 1e-4 and config.run.max_minutes == 5.0 and config.data.path == "a b"
    assert [config.scenes.at(p).side for p in (0.0, 0.49, 0.5, 1.0)] == [96, 96, 128, 128]


@pytest.mark.parametrize(
    "text, changes, message",
    [
        ("sead: 1", [], "unknown key 'sead'"),
        ("optimiser: {peek: 1}", [], "unknown key 'optimiser.peek'"),
        ("scenes: {mix: {nouns: 1}}", [], "unknown key 'scenes.mix.nouns'"),
        ("optimiser: {peak: high}", [], "'optimiser.peak' is 'high'"),
        ("seed: true", [], "'seed' is True"),
        ("optimiser: 3", [], "'optimiser' is 3"),
        ("- a", [], "must hold keys and values"),
        ("a: [", [], "is not YAML"),
        ("run: {precision: fp16}", [], "run.precision is 'fp16'; it must be one of auto, float32, bfloat16, float16"),
        ("run: {iterations: 0}", [], "run.iterations is 0; it must be 1 or more"),
        ("run: {log_every: 0}", [], "run.log_every is 0"),
        ("run: {max_minutes: 0}", [], "run.max_minutes is 0.0; it must be more than 0"),
        ("optimiser: {accumulate: 0}", [], "optimiser.accumulate is 0"),
        ("pairs: {text_weight: [0.5]}", [], r"pairs.text_weight is \[0.5\]; it must be two numbers"),
        ("pairs: {negatives: 1.2}", [], "pairs.negatives is 1.2; it must be from 0 to 1"),
        ("loss: {balance: much}", [], "'loss.balance' is 'much'.*must be float or list"),
        ("seed: 1", ["seed"], "no change of the configuration"),
        ("seed: 1", ["seed.x=1"], "cannot be set"),
    ],
)
def test_wrong_configurations_are_refused(tmp_path, text, changes, message):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_training(path, changes)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no training configuration"):
        load_training(tmp_path / "none.yaml")


def test_a_written_configuration_reads_back():
    config = build(TrainingConfig, {"seed": 3, "scenes": {"mix": {"noun": 1.0}}})
    assert build(TrainingConfig, config.to_dict()) == config
