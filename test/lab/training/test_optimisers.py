# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from clipseg_ros.lab.training.config import OptimiserConfig
from clipseg_ros.lab.training.optimisers import Optimisers

BLOCK_MATRICES = {"resblocks.0.weight", "decoder.layers.0.weight"}


def parameters(seed: int = 0) -> dict[str, nn.Parameter]:
    """Matrices inside and outside of transformer blocks, and vectors; all with a gradient."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "resblocks.0.weight": (6, 4),
        "resblocks.0.bias": (6,),
        "decoder.layers.0.weight": (4, 4),
        "decoder.head.weight": (4, 4),
        "conv1.weight": (4, 3, 2, 2),
    }
    made = {name: nn.Parameter(torch.randn(shape, generator=generator)) for name, shape in shapes.items()}
    for parameter in made.values():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return made


def optimisers(named, *, decay_vectors: bool = True, **options) -> Optimisers:
    return Optimisers(named.items(), OptimiserConfig(**options), decay_vectors=decay_vectors)


def no_scaling() -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", enabled=False)


def test_adamw_is_the_default_and_equals_torchs():
    mine, theirs = parameters(), parameters()
    optimisers(mine).step(no_scaling())
    torch.optim.AdamW(theirs.values(), lr=1e-3, weight_decay=0.01).step()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_muon_moves_the_matrices_of_blocks_and_adamw_the_rest():
    muon, adamw, start = parameters(), parameters(), parameters()
    optimisers(muon, kind="muon").step(no_scaling())
    optimisers(adamw).step(no_scaling())
    for name in start:
        assert not torch.equal(muon[name], start[name])
        assert torch.equal(muon[name], adamw[name]) == (name not in BLOCK_MATRICES), name


def test_muons_steps_are_of_equal_size_in_every_direction():
    named = parameters()
    start = named["decoder.layers.0.weight"].detach().clone()
    optimisers(named, kind="muon", weight_decay=0.0).step(no_scaling())
    sizes = torch.linalg.svdvals(named["decoder.layers.0.weight"].detach() - start)
    gradient = torch.linalg.svdvals(named["decoder.layers.0.weight"].grad)
    assert sizes.max() / sizes.min() < 2.5 < gradient.max() / gradient.min()


@pytest.mark.parametrize("decay_vectors", [True, False])
def test_weight_decay_of_vectors(decay_vectors):
    named = parameters()
    start = {name: parameter.detach().clone() for name, parameter in named.items()}
    for parameter in named.values():
        parameter.grad.zero_()
    optimisers(named, peak=0.1, weight_decay=0.5, decay_vectors=decay_vectors).step(no_scaling())
    for name, parameter in named.items():
        shrinks = parameter.dim() > 1 or decay_vectors
        assert torch.allclose(parameter, start[name] * (0.95 if shrinks else 1.0)), name


def test_the_rate_is_that_of_both_and_zero_leaves_everything():
    named, start = parameters(), parameters()
    both = optimisers(named, kind="muon")
    both.set_rate(0.0)
    both.step(no_scaling())
    assert all(torch.equal(named[name], start[name]) for name in named)
    both.zero_grad()
    assert all(parameter.grad is None for parameter in named.values())


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_going_on_from_a_state_is_the_same_as_never_stopping(kind):
    whole, parts = parameters(), parameters()
    through, first = optimisers(whole, kind=kind), optimisers(parts, kind=kind)
    through.step(no_scaling())
    first.step(no_scaling())
    second = optimisers(parts, kind=kind)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    through.step(no_scaling())
    second.step(no_scaling())
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_the_state_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="another optimiser.kind"):
        optimisers(parameters(), kind="muon").load_state_dict(optimisers(parameters()).state_dict())


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="optimiser.kind is 'sgd'; it must be one of adamw, muon"):
        optimisers(parameters(), kind="sgd")
