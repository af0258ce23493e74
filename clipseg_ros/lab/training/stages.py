# SPDX-License-Identifier: Apache-2.0
"""A training in stages, from one YAML file: each goes on from the weights that the one before left.

Format:

    validation_scenes: {count: 300, seed: 1}      # rendered to measure on, once for all stages
    base: {...}                                   # a training configuration (config.py), which all stages share
    stages:
      - name: first                               # also its folder
        training_scenes: {count: 12200, seed: 0}  # rendered to train on
        changes: {optimiser: {peak: 1.0e-4}}      # of the base, key by key; a list replaces a list
      - name: second
        mean: {share: 0.7, half: false}           # of its own weights in the mean with those that it started from

A file without scenes to render names folders under `data`, as a file of a single run does. A mean is stored as float32,
with `half` as float16; without one a stage passes its own weights on as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Sequence

from clipseg_ros.lab.scenes.bulk import check_seed
from clipseg_ros.lab.training.config import TrainingConfig, build, changed_config, read_values

SCENES_FOLDER = "scenes"
"""Where scenes are rendered to, beside the folders of the stages."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class RenderedScenes:
    """Scenes of the simulated home that must be there before a stage begins; see scenes.bulk."""

    count: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"the count of rendered scenes is {self.count}; it must be 1 or more.")
        check_seed(self.seed)

    @property
    def folder(self) -> str:
        """Name of the folder that they are rendered to; other scenes have another one."""
        return f"seed{self.seed}-{self.count}"


@dataclass(frozen=True)
class Mean:
    """What becomes of a stage's weights: the mean with those that it started from.

    Attributes
    ----------
    share : of its own weights, 0 to 1
    half : whether the mean is stored as float16
    """

    share: float = 0.5
    half: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"the share of a stage's weights in the mean is {self.share:g}; it must be 0 to 1.")


@dataclass(frozen=True)
class Stage:
    """One stage: its whole configuration, the scenes that must be rendered for it, and what becomes of its weights."""

    name: str
    config: TrainingConfig
    training_scenes: RenderedScenes | None = None
    validation_scenes: RenderedScenes | None = None
    mean: Mean | None = None


def load_training(path: str | Path, changes: Sequence[str] = ()) -> TrainingConfig | tuple[Stage, ...]:
    """Read a YAML file of one run or, where it has the key `stages`, of several.

    Parameters
    ----------
    changes : "optimiser.peak=0.0005" and the like; in a file of stages they count for every one

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no YAML, or names an unknown key, a value of the wrong type, or a stage that cannot be.
    """
    values = read_values(path)
    if "stages" not in values:
        return changed_config(values, changes)
    file = build(_File, values)
    stages = tuple(_stage(file, entry, number, changes) for number, entry in enumerate(file.stages, start=1))
    names = [stage.name for stage in stages]
    if not stages or len(set(names)) < len(names):
        raise ValueError(f"the stages are {', '.join(names) or 'none'}; at least one is needed, each with a name of its "
                         "own.")
    if stages[0].mean and not stages[0].config.weights:
        raise ValueError(f"the stage {names[0]!r} asks for a mean with the weights that it starts from, and it starts "
                         "from none; name a checkpoint or leave the mean out.")
    return stages


@dataclass(frozen=True)
class _File:
    """A file of stages, as it is written."""

    stages: list
    base: dict = field(default_factory=dict)
    validation_scenes: dict | None = None


@dataclass(frozen=True)
class _Entry:
    """A stage, as it is written."""

    name: str = ""
    changes: dict = field(default_factory=dict)
    training_scenes: dict | None = None
    mean: dict | None = None


def _stage(file: _File, values: Any, number: int, changes: Sequence[str]) -> Stage:
    """Check and complete one entry of `stages`; ValueError names the stage."""
    name = values.get("name") if isinstance(values, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == SCENES_FOLDER:
        raise ValueError(f"stage {number} has the name {name!r}; it must be a folder's, of letters, digits, - and _, "
                         f"and not {SCENES_FOLDER!r}.")
    try:
        entry = build(_Entry, values)
        return Stage(
            name,
            changed_config(merged(file.base, entry.changes), changes),
            _optional(RenderedScenes, entry.training_scenes, "training_scenes."),
            _optional(RenderedScenes, file.validation_scenes, "validation_scenes."),
            _optional(Mean, entry.mean, "mean."),
        )
    except ValueError as error:
        raise ValueError(f"stage {name!r}: {error}") from error


def _optional(kind: type, values: dict[str, Any] | None, where: str) -> Any:
    return None if values is None else build(kind, values, where)


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes`, dictionaries in them key by key; neither is altered."""
    result = dict(base)
    for key, value in changes.items():
        deeper = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if deeper else value
    return result
