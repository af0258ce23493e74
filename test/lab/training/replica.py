# SPDX-License-Identifier: Apache-2.0
"""One of several processes of a run, started by torchrun: writes what it ends with into the folder it is given."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import shapes
import torch
from test_loop import VALUES

from clipseg_ros.lab.training.config import TrainingConfig, build
from clipseg_ros.lab.training.loop import Trainer
from clipseg_ros.lab.training.network import build_network
from clipseg_ros.lab.training.replicas import Replicas
from clipseg_ros.lab.training.sources import scene_sources


def main(directory: Path) -> None:
    """Exchange known numbers, then train two steps."""
    torch.set_num_threads(1)
    replicas = Replicas()
    found = replicas.leader_first(lambda: (directory / "cache").exists() or (directory / "cache").touch())
    shared, alone = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(3))
    shared.grad = torch.tensor([1.0, 2.0]) * (1 + replicas.rank)
    alone.grad = torch.ones(3) if replicas.leads else None
    replicas.average_gradients([shared, alone])
    agreed = replicas.agree(0.25 + replicas.rank, torch.device("cpu"))

    config = build(TrainingConfig, {**VALUES, "run": {**VALUES["run"], "iterations": 2}})
    model = build_network(config)
    sources = scene_sources(config, shapes.store(8), None, patch_size=model.patch_size, replicas=replicas.size)
    asked = []
    make = sources.training.__class__.__getitem__
    sources.training.__class__.__getitem__ = lambda self, index: (asked.append(index), make(self, index))[1]
    trainer = Trainer(model, config, sources, directory / "run", quiet=True, replicas=replicas)
    trainer.run()
    replicas.close()
    weights = [parameter.double().sum().item() for parameter in trainer.parameters]
    told = {
        "found": found,
        "gradients": [shared.grad.tolist(), alone.grad.tolist()],
        "agreed": agreed,
        "batches": asked,
        "weights": weights,
        "leads": replicas.leads,
    }
    (directory / f"{replicas.rank}.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
