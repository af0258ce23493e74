# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.lab.training.averaging import average_into


def filled(value: float) -> CLIPSeg:
    model = CLIPSeg(SMALL)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    return model


@pytest.mark.parametrize(("share", "mean"), [(0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (0.0, 4.0)])
def test_every_weight_becomes_the_mean(share, mean):
    model, other = filled(2.0), filled(4.0)
    average_into(model, other, share=share)
    assert all((parameter == mean).all() for parameter in model.parameters())
    assert all((parameter == 4.0).all() for parameter in other.parameters())


def test_a_share_or_a_network_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="is 2; it must be 0 to 1"):
        average_into(filled(1.0), filled(2.0), share=2.0)
    with pytest.raises(ValueError, match="differ in their layers"):
        average_into(filled(1.0), CLIPSeg(replace(SMALL, reduce_dim=2 * SMALL.reduce_dim)), share=0.5)
