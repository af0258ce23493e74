# SPDX-License-Identifier: Apache-2.0
"""Half precision is compared with float32 on inputs that differ, and numbers that are none are counted."""

import pytest
import torch

from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.lab.benchmarking.half_precision import BATCH, check_half_precision

CPU = torch.device("cpu")
SIDE = 64


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CLIPSeg(SMALL).eval()


def check(model, precision=torch.bfloat16, **changes):
    settings = {"images": 6, "compared": 6, "side": SIDE, "random": True} | changes
    return check_half_precision(model, precision, CPU, **settings)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_a_healthy_network(model, precision):
    found = check(model, precision)
    assert (found.images, found.compared, found.not_finite) == (6, 6, 0)
    assert 0 < found.disagreement < 0.05


def test_float32_agrees_with_itself(model):
    assert check(model, torch.float32).disagreement < 1e-3


def test_overflow_is_counted(model):
    with torch.no_grad():
        model.decoder.reduces[0].weight.mul_(1e7)
    assert check(model, torch.float16).not_finite == 6
    assert check(model, torch.bfloat16).not_finite == 0


def test_only_as_many_are_compared_as_asked(model):
    done = []
    found = check(model, images=2 * BATCH + 1, compared=0, on_batch=done.append)
    assert (found.disagreement, found.compared) == (0.0, 0)
    assert done == [BATCH, 2 * BATCH, 2 * BATCH + 1]
