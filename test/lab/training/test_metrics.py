# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import sys
from types import SimpleNamespace

import pytest
import torch

from clipseg_ros.lab.training.batch import KINDS
from clipseg_ros.lab.training.ema import WeightAverage
from clipseg_ros.lab.training.metrics import KindScores, MetricsLog


def test_means_of_each_kind():
    logits = torch.full((1, 4, 10, 100), -1.0)
    masks = torch.zeros(1, 4, 10, 100, dtype=torch.uint8)
    logits[0, 0, 0, :20], masks[0, 0, 0, :10] = 1.0, 1  # noun, IoU 0.5
    logits[0, 1, 0, :10], masks[0, 1, 0, :10] = 1.0, 1  # colour, IoU 1
    logits[0, 2, 0, :1] = 1.0  # absent, one pixel of 1,000: empty
    logits[0, 3, 0, :3] = 1.0  # absent visual prompt, three: not empty
    scores = KindScores()
    scores.add(logits, masks, torch.tensor([[KINDS.index(kind) for kind in ("noun", "colour", "absent", "visual")]]))
    assert scores.means() == {"iou_noun": 0.5, "iou_colour": 1.0, "iou": 0.75, "empty_absent": 0.5}


def test_a_pixel_that_reaches_the_threshold_is_found():
    logits, masks = torch.full((1, 1, 10, 100), -1.0), torch.zeros(1, 1, 10, 100, dtype=torch.uint8)
    logits[0, 0, 0, :20], masks[0, 0, 0, :20] = 0.0, 1  # a probability of 0.5
    scores = KindScores()
    scores.add(logits, masks, torch.tensor([[KINDS.index("noun")]]))
    assert scores.means()["iou"] == 1.0


def test_the_file_goes_on_where_it_was(tmp_path):
    for step in (1, 2):
        log = MetricsLog(tmp_path, tensorboard=False)
        log.add(step, {"loss": step / 3})
        log.close()
    rows = list(csv.reader((tmp_path / "metrics.csv").open()))
    assert rows == [["step", "name", "value"], ["1", "loss", "0.333333"], ["2", "loss", "0.666667"]]


def test_tensorboard_gets_the_same_figures(tmp_path, monkeypatch):
    written = []

    class Writer:
        def __init__(self, directory):
            self.directory = directory

        def add_scalar(self, name, value, step):
            written.append((self.directory, name, value, step))

        def close(self):
            written.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    log = MetricsLog(tmp_path)
    log.add(3, {"loss": 0.5})
    log.close()
    assert not log.tensorboard_missing
    assert written == [(str(tmp_path / "tensorboard"), "loss", 0.5, 3), "closed"]


def test_without_tensorboard_the_file_is_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    log = MetricsLog(tmp_path)
    log.add(1, {"loss": 0.5})
    log.close()
    assert log.tensorboard_missing and "1,loss,0.5" in (tmp_path / "metrics.csv").read_text()


def test_running_average_by_hand():
    weight = torch.nn.Parameter(torch.tensor([0.0]))
    average = WeightAverage([weight], 0.5)
    value = 0.0
    for step, now in enumerate((1.0, 2.0, 4.0), start=1):
        weight.data.fill_(now)
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        value = decay * value + (1 - decay) * now
    with average.applied():
        assert weight.item() == pytest.approx(value)
    assert weight.item() == 4.0
