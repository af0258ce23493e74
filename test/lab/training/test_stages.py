# SPDX-License-Identifier: Apache-2.0
"""A file of stages: what each stage has in the end, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from clipseg_ros.lab.training.config import TrainingConfig, build
from clipseg_ros.lab.training.stages import Mean, RenderedScenes, load_training, merged

DEMO = Path(__file__).parents[3] / "config" / "training" / "demo.yaml"
FILE = {
    "validation_scenes": {"count": 3, "seed": 1},
    "base": {"seed": 4, "loss": {"dice": 0.5, "absent": 2.0}, "scenes": {"side": [[0.0, 96], [0.5, 128]]}},
    "stages": [
        {"name": "first", "training_scenes": {"count": 7, "seed": 2}},
        {"name": "second", "changes": {"seed": 5, "loss": {"dice": 1.0}, "scenes": {"side": [[0.0, 64]]}},
         "mean": {"share": 0.7, "half": True}},
    ],
}


@pytest.fixture
def written(tmp_path):
    def write(**changes):
        path = tmp_path / "stages.yaml"
        path.write_text(yaml.safe_dump({**FILE, **changes}))
        return path

    return write


def test_a_stage_changes_the_base_key_by_key(written):
    first, second = load_training(written())
    assert first.config == build(TrainingConfig, FILE["base"])
    assert (second.config.seed, second.config.loss.dice, second.config.loss.absent) == (5, 1.0, 2.0)
    assert second.config.scenes.side == [[0.0, 64]]
    assert (first.mean, second.mean) == (None, Mean(0.7, half=True))
    assert (first.training_scenes, second.training_scenes) == (RenderedScenes(7, 2), None)
    assert first.validation_scenes == second.validation_scenes == RenderedScenes(3, 1)


def test_changes_of_the_command_count_for_every_stage(written):
    assert [stage.config.loss.dice for stage in load_training(written(), ["loss.dice=0.25"])] == [0.25, 0.25]


def test_merging_alters_neither():
    base, changes = {"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}
    assert merged(base, changes) == {"a": {"b": 3, "c": 2}, "d": [2]}
    assert (base, changes) == ({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]})


def test_other_scenes_have_another_folder():
    scenes = [RenderedScenes(1, 2), RenderedScenes(2, 1), RenderedScenes(2, 2), RenderedScenes(12, 1)]
    assert len({one.folder for one in scenes}) == len(scenes)


def test_the_demo_model_has_the_stages_that_its_page_tells_of():
    stages = load_training(DEMO)
    assert [stage.name for stage in stages] == ["first", "second", "third", "fourth", "fifth", "sixth", "seventh",
                                                "eighth", "ninth", "tenth", "eleventh"]
    assert [stage.config.run.iterations for stage in stages] == [
        6500, 2208, 1708, 163, 1417, 242, 2500, 1068, 320, 2188, 2353]
    assert [stage.config.run.max_minutes for stage in stages] == [None] * 11, "a clock teaches less on a slower machine"
    assert [stage.training_scenes.count for stage in stages] == [
        12200, 5900, 4000, 4000, 8000, 8000, 5700, *[8477] * 3, 16800]
    assert [stage.training_scenes.seed for stage in stages] == [0, 2, 3, 3, 4, 4, 5, 6, 6, 6, 6]
    assert [stage.mean.share if stage.mean else None for stage in stages] == [
        None, None, 0.7, 0.7, 0.7, 0.5, 0.85, None, None, None, None]
    assert [bool(stage.mean and stage.mean.half) for stage in stages] == [False] * 6 + [True] + [False] * 4
    assert len({stage.config.seed for stage in stages}) == 11
    assert [bool(stage.config.network) for stage in stages] == [True] + [False] * 10
    assert [stage.config.grow for stage in stages] == [None] * 7 + [
        {"presence": True}, {"stem": True}, None, {"coordinates": True}]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"stages": []}, "the stages are none; at least one is needed"),
        ({"stages": [{"name": "a"}, {"name": "a"}]}, "the stages are a, a; .* each with a name of its own"),
        ({"stages": [{"name": "../a"}]}, "stage 1 has the name '../a'; it must be a folder's"),
        ({"stages": [{"name": "a"}, {"changes": {}}]}, "stage 2 has the name None"),
        ({"stages": [{"name": "scenes"}]}, "stage 1 has the name 'scenes'"),
        ({"stages": ["a"]}, "stage 1 has the name None"),
        ({"stages": {"name": "a"}}, "'stages' is .* it must be list"),
        ({"stages": [{"name": "a", "change": {}}]}, "stage 'a': unknown key 'change'"),
        ({"stages": [{"name": "a", "changes": {"sead": 1}}]}, "stage 'a': unknown key 'sead'"),
        ({"stages": [{"name": "a", "mean": {"share": 1.5}}]}, "stage 'a': the share .* is 1.5; it must be 0 to 1"),
        ({"stages": [{"name": "a", "mean": {"share": 0.5}}]}, "'a' asks for a mean .* it starts from none"),
        ({"stages": [{"name": "a", "training_scenes": {"seed": 1}}]}, "stage 'a': the count .* is 0"),
        ({"stages": [{"name": "a", "training_scenes": {"count": 1, "seed": 90}}]}, "stage 'a': the seed is 90"),
        ({"seed": 1}, "unknown key 'seed'"),
    ],
)
def test_stages_that_cannot_be_are_refused(written, changes, message):
    with pytest.raises(ValueError, match=message):
        load_training(written(**changes))


def test_the_first_stage_may_start_from_a_checkpoint_and_be_averaged_with_it(written):
    path = written(stages=[{"name": "a", "mean": {"share": 0.5}}])
    assert load_training(path, ["weights=demo"])[0].config.weights == "demo"
