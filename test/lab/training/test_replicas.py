# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from clipseg_ros.lab.training.replicas import Replicas

LAUNCHED = ("WORLD_SIZE", "RANK", "LOCAL_RANK")


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> tuple[list[dict], Path]:
    """What two processes of one run told, and the folder of the run."""
    directory = tmp_path_factory.mktemp("replicas")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
                   "PYTHONPATH": os.pathsep.join(sys.path)}
    script = Path(__file__).with_name("replica.py")
    done = subprocess.run(
        [*command, str(script), str(directory)], env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return [json.loads((directory / f"{rank}.json").read_text()) for rank in range(2)], directory


def test_gradients_are_averaged_and_missing_ones_count_as_zero(two):
    for told in two[0]:
        assert told["gradients"] == [[1.5, 3.0], [0.5, 0.5, 0.5]]


def test_the_first_process_decides_how_far_the_run_is(two):
    assert [told["agreed"] for told in two[0]] == [0.25, 0.25]


def test_the_first_process_writes_caches_before_the_others_look(two):
    assert [told["found"] for told in two[0]] == [None, True]


def test_processes_take_batches_of_their_own_and_end_with_the_same_weights(two):
    first, second = two[0]
    assert (first["batches"], second["batches"]) == ([0, 2], [1, 3])
    assert first["weights"] == second["weights"]


def test_the_first_process_alone_writes(two):
    told, directory = two
    assert [one["leads"] for one in told] == [True, False]
    rows = (directory / "run" / "metrics.csv").read_text().splitlines()
    assert sum(row.endswith("name,value") for row in rows) == 1
    assert sum(",loss/segmentation," in row for row in rows) == 1


def test_one_process_exchanges_nothing(monkeypatch):
    for name in LAUNCHED:
        monkeypatch.delenv(name, raising=False)
    replicas = Replicas()
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = gradient = torch.tensor([1.0, 2.0])
    without = torch.nn.Parameter(torch.zeros(2))
    replicas.average_gradients([parameter, without])
    assert parameter.grad is gradient and without.grad is None
    assert replicas.leads and replicas.agree(0.7, torch.device("cpu")) == 0.7
    assert replicas.leader_first(lambda: "opened") == "opened"
    assert not torch.distributed.is_initialized()
    replicas.close()


@pytest.mark.parametrize("size, wanted, gpu, device", [
    (2, "auto", True, "cuda:1"), (2, "auto", False, "auto"), (2, "cpu", True, "cpu"), (1, "auto", True, "auto"),
])
def test_every_process_has_the_gpu_of_its_number(monkeypatch, size, wanted, gpu, device):
    for name in LAUNCHED:
        monkeypatch.delenv(name, raising=False)
    replicas = Replicas()
    replicas.size = size
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert replicas.device(wanted) == device
