# SPDX-License-Identifier: Apache-2.0
"""A whole training run, from a configuration to weights."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml

from clipseg_ros.clipseg.device import pick_device
from clipseg_ros.lab.training.config import TrainingConfig
from clipseg_ros.lab.training.loop import Trainer
from clipseg_ros.lab.training.network import build_network
from clipseg_ros.lab.training.replicas import Replicas
from clipseg_ros.lab.training.sources import open_sources
from clipseg_ros.lab.training.state import STATE_FILE

CONFIG_FILE = "config.yaml"
"""What a run was made with, in its folder."""


def train(
    config: TrainingConfig,
    directory: str | Path,
    *,
    resume: bool = False,
    quiet: bool = False,
    replicas: Replicas | None = None,
) -> dict[str, float]:
    """Train as `config` says, write everything into `directory`, return the last validation's figures.

    Parameters
    ----------
    resume : go on with the interrupted run in `directory`
    replicas : the processes of the run, which the caller closes; None = those that torchrun started

    Raises
    ------
    FileExistsError
        If `directory` holds a run already and `resume` is not asked for.
    """
    directory = Path(directory)
    if not resume and (directory / STATE_FILE).exists():
        raise FileExistsError(f"{directory} holds a training run already; resume it or choose another folder.")
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    own = Replicas() if replicas is None else None
    try:
        return _trainer(config, directory, replicas or own, resume=resume, quiet=quiet).run()
    finally:
        if own:
            own.close()


def _trainer(config: TrainingConfig, directory: Path, replicas: Replicas, *, resume: bool, quiet: bool) -> Trainer:
    """Build the network, open what it is trained on, and note in `directory` what it is made with."""
    model = build_network(config)
    sources = replicas.leader_first(
        lambda: open_sources(config, patch_size=model.patch_size, replicas=replicas.size)
    )
    trainer = Trainer(
        model,
        config,
        sources,
        directory,
        device=pick_device(replicas.device(config.run.device)),
        resume=resume,
        quiet=quiet or not replicas.leads,
        replicas=replicas,
    )
    if replicas.leads:
        (directory / CONFIG_FILE).write_text(yaml.safe_dump(config.to_dict(), sort_keys=False), encoding="utf-8")
    return trainer
