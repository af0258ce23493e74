# SPDX-License-Identifier: Apache-2.0
"""A recording computes what its function computes."""

import pytest
import torch

from clipseg_ros.clipseg.captured import Captured

DEVICES = ["cpu", *(pytest.param(f"cuda:{index}", marks=pytest.mark.skipif(
    torch.cuda.device_count() <= index, reason=f"needs {index + 1} CUDA devices")) for index in range(2))]


@pytest.mark.parametrize("device", DEVICES)
def test_each_call_computes_with_its_own_inputs(device):
    calls = []

    def product(left, right):
        calls.append(None)
        return left @ right + 1

    recorded = Captured(product, [torch.zeros(4, 4, device=device), torch.zeros(4, 2, device=device)])
    before = len(calls)
    for seed in range(3):
        torch.manual_seed(seed)
        left, right = torch.randn(4, 4, device=device), torch.randn(4, 2, device=device)
        torch.testing.assert_close(recorded(left, right).clone(), left @ right + 1)
    assert len(calls) - before == (3 if device == "cpu" else 0)


def test_a_tensor_too_few_is_refused():
    recorded = Captured(torch.add, [torch.zeros(2), torch.zeros(2)])
    with pytest.raises(TypeError):
        recorded(torch.zeros(2))
