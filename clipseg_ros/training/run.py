# SPDX-License-Identifier: Apache-2.0
"""A whole training run, from a configuration to weights."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml

from clipseg_ros.clipseg.device import pick_device
from clipseg_ros.training.config import TrainingConfig
from clipseg_ros.training.loop import Trainer
from clipseg_ros.training.network import build_network
from clipseg_ros.training.replicas import Replicas
from clipseg_ros.training.sources import open_sources


def train(
    config: TrainingConfig, directory: str | Path, *, resume: bool = False, quiet: bool = False
) -> dict[str, float]:
    """Train as ``config`` says, write everything into ``directory``, return the last validation's figures.

    Raises FileExistsError if ``directory`` holds a run already and ``resume`` is not asked for.
    """
    directory = Path(directory)
    if not resume and (directory / "state.pt").exists():
        raise FileExistsError(f"{directory} holds a training run already; resume it or choose another folder.")
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    model = build_network(config)
    replicas = Replicas()
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
        (directory / "config.yaml").write_text(yaml.safe_dump(config.to_dict(), sort_keys=False), encoding="utf-8")
    try:
        return trainer.run()
    finally:
        replicas.close()
