# SPDX-License-Identifier: Apache-2.0
"""The configuration of a training run: one YAML file, every key known, single values changed on the command line."""
from __future__ import annotations

import copy
import types
import typing
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Sequence

import yaml

from clipseg_ros.clipseg.choices import PRECISIONS
from clipseg_ros.lab.training.augment import AugmentConfig
from clipseg_ros.lab.training.auxiliary import AuxiliaryConfig
from clipseg_ros.lab.training.pair_batches import PairBatchConfig
from clipseg_ros.lab.training.scene_batches import SceneBatchConfig

DATA_KINDS = ("folder", "phrasecut", "scenes", "home")


def _at_least_one(section: Any, where: str, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        if value is not None and value < 1:
            raise ValueError(f"{where}.{name} is {value}; it must be 1 or more.")


@dataclass(frozen=True)
class DataConfig:
    """What is trained on.

    Attributes
    ----------
    kind : folder (datasets.folder), phrasecut (its own files), scenes (a folder of rendered scenes with instance ids,
        prompted while training), home (scenes rendered while training)
    path, validation : folders, validation may be empty for none; home needs no path and takes a folder of scenes to
        validate on; for phrasecut, `validation` empty and `validation_split` set takes the path's own
    split, validation_split : of PhraseCut
    side : pixels to which scenes are squashed when they are packed or rendered, None = as rendered or 256
    workers : processes that prepare batches, 0 = none beside the training itself
    validation_batches : how many batches of the validation folder are measured
    """

    kind: str = "folder"
    path: str = ""
    validation: str = ""
    split: str = "train"
    validation_split: str = ""
    side: int | None = None
    workers: int = 1
    validation_batches: int = 8


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses; see losses.segmentation_loss, losses.choice_loss and losses.presence_loss.

    `balance` is a number, or a list of [progress, number], ascending: from there on.
    """

    balance: float | list = 0.0
    dice: float = 0.0
    absent: float = 1.0
    absent_dice: float = 0.0
    smooth: float = 0.002
    choice: float = 0.0
    presence: float = 0.0


@dataclass(frozen=True)
class OptimiserConfig:
    """The optimiser and its schedule. The defaults are the paper's.

    Attributes
    ----------
    kind : adamw; or muon, which teaches towers from scratch faster (see optimisers.Optimisers)
    peak, floor : learning rates
    warmup : share of the run
    clip : largest gradient norm, 0 = no limit
    accumulate : batches per step
    average : decay of the running average of the weights, 0 = none
    """

    kind: str = "adamw"
    peak: float = 1e-3
    floor: float = 1e-4
    warmup: float = 0.0
    weight_decay: float = 0.01
    betas: list = field(default_factory=lambda: [0.9, 0.999])
    clip: float = 0.0
    accumulate: int = 1
    average: float = 0.0

    def __post_init__(self) -> None:
        _at_least_one(self, "optimiser", "accumulate")


@dataclass(frozen=True)
class RunConfig:
    """When a run ends, where it runs and what it tells.

    Attributes
    ----------
    iterations, max_minutes : the end, whichever comes first; None = not this one
    device : auto, cpu, cuda, cuda:N
    precision : float32, bfloat16, float16 (autocast) or auto
    threads : of torch on the CPU, 0 = its own choice; on a busy machine 1 can be many times faster than 2
    """

    iterations: int | None = 20_000
    max_minutes: float | None = None
    device: str = "auto"
    precision: str = "float32"
    threads: int = 0
    log_every: int = 50
    validate_every: int = 1000
    checkpoint_every: int = 500
    half_weights: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"run.precision is {self.precision!r}; it must be one of {', '.join(PRECISIONS)}.")
        _at_least_one(self, "run", "iterations", "log_every", "validate_every", "checkpoint_every")
        if self.max_minutes is not None and self.max_minutes <= 0:
            raise ValueError(f"run.max_minutes is {self.max_minutes}; it must be more than 0, or nothing for no limit.")


@dataclass(frozen=True)
class TrainingConfig:
    """A whole run. `weights` names a checkpoint to start from; `network` describes a fresh network instead.

    Attributes
    ----------
    pairs, scenes : how pairs (folder, phrasecut) or scenes (scenes, home) become batches
    network : fields of CLIPSegConfig; with `vocabulary: home` its token ids are those of the simulated home's phrases
    decoder : start with a fresh decoder instead of the checkpoint's, these fields of CLIPSegConfig changed
    grow : start with the checkpoint's network and these fields of CLIPSegConfig changed; layers that are new are fresh
    end_to_end : train the towers too; otherwise the decoder alone, as in the paper
    """

    seed: int = 0
    weights: str | None = None
    network: dict | None = None
    vocabulary: str | None = None
    decoder: dict | None = None
    grow: dict | None = None
    end_to_end: bool = False
    data: DataConfig = DataConfig()
    pairs: PairBatchConfig = PairBatchConfig()
    scenes: SceneBatchConfig = SceneBatchConfig()
    augment: AugmentConfig = AugmentConfig()
    loss: LossConfig = LossConfig()
    auxiliary: AuxiliaryConfig = AuxiliaryConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    run: RunConfig = RunConfig()

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, numbers and texts."""
        return asdict(self)


def read_values(path: str | Path) -> dict[str, Any]:
    """Read the keys and values of a YAML file; FileNotFoundError without it, ValueError for what is no such file."""
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no training configuration {file}.")
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{file} must hold keys and values, such as 'seed: 0'.")
    return values


def changed_config(values: dict[str, Any], changes: Sequence[str]) -> TrainingConfig:
    """Make the configuration of `values`, which stay as they are, and `changes` ("optimiser.peak=0.0005")."""
    values = copy.deepcopy(values)
    for change in changes:
        _apply(values, change)
    return build(TrainingConfig, values)


def build(kind: type, values: dict[str, Any], where: str = "") -> Any:
    """Make the dataclass `kind` of `values`, nested ones too; ValueError names the key that is wrong."""
    known = {entry.name: entry for entry in fields(kind)}
    hints = typing.get_type_hints(kind)
    arguments = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"unknown key {where + str(name)!r} in the training configuration; known are: "
                             f"{', '.join(known)}.")
        hint = hints[name]
        if is_dataclass(hint):
            if not isinstance(value, dict):
                raise ValueError(f"{where + name!r} is {value!r}; it must hold keys and values.")
            arguments[name] = build(hint, value, f"{where}{name}.")
        else:
            arguments[name] = _checked(value, hint, where + name)
    return kind(**arguments)


def _checked(value: Any, hint: Any, name: str) -> Any:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for option in options:
        plain = typing.get_origin(option) or option
        if plain is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, plain) and not (plain is int and isinstance(value, bool)):
            return value
    needed = " or ".join("nothing" if option is type(None) else option.__name__ for option in options)
    raise ValueError(f"{name!r} is {value!r} in the training configuration; it must be {needed}.")


def _apply(values: dict[str, Any], change: str) -> None:
    """Set one value, "section.key=value", the value read as YAML."""
    key, separator, text = change.partition("=")
    if not separator or not key:
        raise ValueError(f"{change!r} is no change of the configuration; it must look like optimiser.peak=0.0005.")
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ValueError(f"{key!r} cannot be set: {section!r} holds a value, not keys.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{text!r}, the value of {key!r}, is not YAML.") from error
    values[last] = _number(value)


def _number(value: Any) -> Any:
    """YAML reads 1e-4 as a text; people mean the number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
