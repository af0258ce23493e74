# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from clipseg_ros.lab.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(8, 32), (32, 8), (16, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    generator = torch.Generator().manual_seed(3)
    left, _ = torch.linalg.qr(torch.randn(shape[0], min(shape), generator=generator))
    right, _ = torch.linalg.qr(torch.randn(shape[1], min(shape), generator=generator))
    matrix = left @ torch.diag(torch.linspace(0.2, 5.0, min(shape))) @ right.T
    result = orthogonalise(matrix)
    assert result.shape == matrix.shape
    core = left.T @ result @ right
    assert 0.65 < core.diagonal().min() and core.diagonal().max() < 1.25
    assert (core - torch.diag(core.diagonal())).abs().max() < 1e-3


def test_a_gradient_of_zeros_changes_nothing_but_by_decay():
    matrix = torch.nn.Parameter(torch.ones(3, 2))
    matrix.grad = torch.zeros(3, 2)
    Muon([matrix], lr=0.1, weight_decay=0.5).step()
    assert torch.allclose(matrix, torch.full((3, 2), 0.95))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="PyTorch has its own Muon from 2.9 on")
def test_steps_are_those_of_torchs_own_up_to_its_rounding():
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(24, 16, generator=generator)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    optimisers = (Muon([ours], lr=1e-2, weight_decay=0.1),
                  torch.optim.Muon([theirs], lr=1e-2, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"))
    for _ in range(4):
        ours.grad = torch.randn(24, 16, generator=generator)
        theirs.grad = ours.grad.clone()
        for optimiser in optimisers:
            optimiser.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved


def test_vectors_are_refused():
    with pytest.raises(ValueError, match=r"shape \(3,\).*matrices"):
        Muon([torch.nn.Parameter(torch.ones(3))], lr=0.1, weight_decay=0.0)
