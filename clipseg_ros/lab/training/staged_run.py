# SPDX-License-Identifier: Apache-2.0
"""Runs a training's stages one after the other, and goes on where an earlier call was interrupted."""

from __future__ import annotations

import shutil
import sys
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Sequence

from clipseg_ros.clipseg.whole_files import replacing
from clipseg_ros.lab.scenes.bulk import render_to_disk
from clipseg_ros.lab.training.averaging import average_files
from clipseg_ros.lab.training.config import RunConfig, TrainingConfig, build, read_values
from clipseg_ros.lab.training.replicas import Replicas
from clipseg_ros.lab.training.run import CONFIG_FILE, train
from clipseg_ros.lab.training.stages import SCENES_FOLDER, RenderedScenes, Stage
from clipseg_ros.lab.training.state import STATE_FILE

RESULT_FILE = "result.safetensors"
"""What a stage passes on. It is written last of all: with it a stage is finished."""

MODEL_FILE = "model.safetensors"
"""A run's newest weights; in the folder of all stages, what the last one passed on."""


def train_stages(stages: Sequence[Stage], directory: str | Path, *, quiet: bool = False) -> dict[str, float]:
    """Train `stages`, each in a folder of its name in `directory`, and leave the last one's weights there.

    A stage that is finished is not trained again, one that was interrupted goes on from its state. The same call
    repeated therefore does what is left.

    Returns
    -------
    The figures of the last validation, {} where all stages were finished.

    Raises
    ------
    ValueError
        If a finished stage was trained with another configuration than it has now.
    """
    directory = Path(directory)
    replicas = Replicas()
    quiet = quiet or not replicas.leads
    start, figures = None, {}
    try:
        for stage in stages:
            folder = directory / stage.name
            if (folder / RESULT_FILE).is_file():
                _check_unchanged(stage, folder, first=start is None)
                _tell(f"stage {stage.name} is finished", quiet)
            else:
                figures = _train_stage(stage, directory, start, replicas, quiet=quiet)
            start = folder / RESULT_FILE
        replicas.leader_alone(lambda: _copy(start, directory / MODEL_FILE))
    finally:
        replicas.close()
    return figures


def _train_stage(stage: Stage, directory: Path, start: Path | None, replicas: Replicas, *,
                 quiet: bool) -> dict[str, float]:
    """Render, train and average one stage from the weights `start`, None = as its configuration says."""
    folder = directory / stage.name
    _tell(f"stage {stage.name}", quiet)
    data = stage.config.data
    data = replace(data, path=data.path or _rendered(stage.training_scenes, directory, replicas, quiet=quiet),
                   validation=data.validation or _rendered(stage.validation_scenes, directory, replicas, quiet=quiet))
    config = replace(stage.config, data=data, weights=str(start) if start else stage.config.weights)
    figures = train(config, folder, resume=(folder / STATE_FILE).is_file(), quiet=quiet, replicas=replicas)
    replicas.leader_alone(lambda: _pass_on(stage, folder, config.weights))
    return figures


def _rendered(scenes: RenderedScenes | None, directory: Path, replicas: Replicas, *, quiet: bool) -> str:
    """Folder of `scenes`, rendered as far as they are not there yet; "" without any."""
    if scenes is None:
        return ""
    folder = directory / SCENES_FOLDER / scenes.folder
    _tell(f"scenes: {scenes.count} of seed {scenes.seed} in {folder}", quiet)
    replicas.leader_alone(lambda: render_to_disk(folder, scenes.count, seed=scenes.seed))
    return str(folder)


def _pass_on(stage: Stage, folder: Path, start: str | None) -> None:
    """Write what the next stage starts from."""
    if stage.mean is None:
        _copy(folder / MODEL_FILE, folder / RESULT_FILE)
    else:
        average_files(folder / MODEL_FILE, start, folder / RESULT_FILE, share=stage.mean.share, half=stage.mean.half)


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as part:
        shutil.copyfile(source, part)


def _check_unchanged(stage: Stage, folder: Path, *, first: bool) -> None:
    """Raise ValueError where a finished stage was taught otherwise than it would be now."""
    path = folder / CONFIG_FILE
    try:
        then = _lessons(build(TrainingConfig, read_values(path)), first=first)
    except ValueError as error:
        raise ValueError(f"{path} is no configuration of a finished stage ({error})") from error
    for key, value in _lessons(stage.config, first=first).items():
        if then[key] != value:
            raise ValueError(f"the stage {stage.name!r} in {folder.parent} was finished with {key} {then[key]!r}, and "
                             f"now it is {value!r}; choose another folder, or remove that of the stage and of those "
                             "after it.")


def _lessons(config: TrainingConfig, *, first: bool) -> dict[str, object]:
    """What decides the weights that come out, by key: not where the data lie nor how the machine is used.

    The weights that a stage starts from count for the `first` one; the others have those of the stage before.
    """
    data = replace(config.data, path="", validation="", workers=0)
    run = config.run
    run = RunConfig(run.iterations, run.max_minutes, precision=run.precision, half_weights=run.half_weights)
    config = replace(config, weights=config.weights if first else None, data=data, run=run)
    lessons: dict[str, object] = {}
    for name, value in vars(config).items():
        lessons.update({f"{name}.{key}": part for key, part in vars(value).items()} if is_dataclass(value)
                       else {name: value})
    return lessons


def _tell(text: str, quiet: bool) -> None:
    if not quiet:
        print(text, file=sys.stderr, flush=True)
