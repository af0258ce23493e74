# SPDX-License-Identifier: Apache-2.0
"""Where the batches of a run come from."""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Sequence

import torch
from torch.utils.data import Dataset

from clipseg_ros.lab.scenes.vocabulary import COLOURS
from clipseg_ros.lab.training.augment import AugmentConfig
from clipseg_ros.lab.training.batch import Batch
from clipseg_ros.lab.training.config import DATA_KINDS, DataConfig, TrainingConfig
from clipseg_ros.lab.training.home_stream import HomeStream
from clipseg_ros.lab.training.pair_batches import PairBatches
from clipseg_ros.lab.training.pairs import FolderPairs, Pairs
from clipseg_ros.lab.training.phrasecut import PhraseCutPairs
from clipseg_ros.lab.training.scene_batches import CLASSES, SceneBatches
from clipseg_ros.lab.training.scene_store import SceneStore, open_scenes


@dataclass
class Sources:
    """Batches to train on, by number and without end; batches to measure on; how many classes they label.

    Attributes
    ----------
    progress : (1,) float64 in shared memory; the loop says there how far the run is, and worker processes read it
    """

    training: Dataset
    validation: Sequence[Batch] = ()
    classes: int = 0
    colours: int = 0
    progress: torch.Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.float64).share_memory_())


class SharedProgress:
    """How far a run is when batch i is made: i / all batches if their number is known, else what the loop last said."""

    def __init__(self, told: torch.Tensor, batches: int | None) -> None:
        self._told = told
        self._batches = batches

    def __call__(self, index: int) -> float:
        return min(index / self._batches, 1.0) if self._batches else float(self._told[0])


def open_sources(config: TrainingConfig, *, patch_size: int, replicas: int = 1) -> Sources:
    """Open what `config.data` names, for a run in so many processes.

    Raises ValueError for an unknown kind, FileNotFoundError for a missing folder.
    """
    data = config.data
    if data.kind not in DATA_KINDS:
        raise ValueError(f"data.kind is {data.kind!r}; it must be one of {', '.join(DATA_KINDS)}.")
    if not data.path and data.kind != "home":
        raise ValueError("the training data is not named; give --data DIR or set data.path.")
    if data.kind in ("folder", "phrasecut"):
        return pair_sources(config, *_open_pairs(data))
    home = data.kind == "home"
    training = HomeStream(side=data.side or 256, seed=config.seed) if home else open_scenes(data.path, side=data.side)
    validation = open_scenes(data.validation, side=data.side) if data.validation else None
    return scene_sources(config, training, validation, patch_size=patch_size, replicas=replicas)


def pair_sources(config: TrainingConfig, training: Pairs, validation: Pairs | None) -> Sources:
    """Sources from pairs of picture and phrase; validation pairs are whole, unchanged, and asked for by text."""
    batches = PairBatches(training, config.pairs, seed=config.seed, augment=config.augment)
    sources = Sources(training=batches)
    if validation is not None:
        plain = replace(config.pairs, crop=False, negatives=0.0, templates=False, supports=False)
        batches = PairBatches(validation, plain, seed=config.seed + 1)
        sources.validation = [batches[number] for number in range(config.data.validation_batches)]
    return sources


def _open_pairs(data: DataConfig) -> tuple[Pairs, Pairs | None]:
    if data.kind == "folder":
        return FolderPairs(data.path), FolderPairs(data.validation) if data.validation else None
    split = data.validation_split or ("val" if data.validation else "")
    validation = PhraseCutPairs(data.validation or data.path, split) if split else None
    return PhraseCutPairs(data.path, data.split), validation


def scene_sources(config: TrainingConfig, training: SceneStore | HomeStream, validation: SceneStore | None, *,
                  patch_size: int, replicas: int = 1) -> Sources:
    """Sources from packed scenes; validation pictures are whole and unchanged, their prompts drawn once."""
    sources = Sources(training=None, classes=len(CLASSES), colours=len(COLOURS))
    run = config.run
    counted = run.iterations is not None and not run.max_minutes
    total = run.iterations * config.optimiser.accumulate * replicas if counted else None
    sources.training = SceneBatches(training, config.scenes, patch_size=patch_size, seed=config.seed,
                                    augment=config.augment, progress=SharedProgress(sources.progress, total))
    if validation is not None:
        plain = replace(config.scenes.at(1.0), whole=1.0)
        batches = SceneBatches(validation, plain, patch_size=patch_size, seed=config.seed + 1, augment=AugmentConfig())
        sources.validation = [batches[number] for number in range(config.data.validation_batches)]
    return sources
