# SPDX-License-Identifier: Apache-2.0
"""How fast this machine multiplies matrices: the limit that a network of matrix products runs against."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from clipseg_ros.clipseg.cpu import packed
from clipseg_ros.clipseg.setting import Setting
from clipseg_ros.lab.benchmarking.arithmetic import Product
from clipseg_ros.lab.benchmarking.measure import Clock, clock_of

SHORTEST = 0.05
"""Seconds that a timed call takes at least."""

IMAGES_ON_A_GPU = 16
"""So many images' rows are multiplied at once on a GPU, which would otherwise wait for the next product's launch."""

Multiply = Callable[[Tensor], Tensor]


def limiting_precision(setting: Setting) -> str | None:
    """The number format whose limit holds for a setting; None where PyTorch has no such product to measure."""
    if setting.device.type == "cpu" and setting.precision == "float16":
        return "float32" if setting.backend == "torch" else None
    return None if setting.precision == "int8" else setting.precision


@torch.inference_mode()
def measure_limit(
    products: Sequence[Product], precision: str, device: torch.device, *, repeats: int = 5, clock: Clock | None = None
) -> float:
    """Return floating-point operations a second, those of all products together, in the fastest of the repeats.

    The products are computed with PyTorch's own matrix product and, on a CPU that has it, with oneDNN's packed one as
    well; the faster one counts.

    Parameters
    ----------
    products : those of an image, such as `block_products` returns.
    precision : float32, bfloat16 or float16.
    repeats : timed calls, of at least `SHORTEST` seconds each.
    clock : by default that of the device.
    """
    clock = clock or clock_of(device)
    dtype = getattr(torch, precision)
    images = IMAGES_ON_A_GPU if device.type == "cuda" else 1
    rows = [torch.randn(images * product.rows, product.inner).to(device, dtype) for product in products]
    weights = [torch.randn(product.columns, product.inner).to(device, dtype) for product in products]
    flop = images * sum(product.flop for product in products)
    seconds = [_time(list(zip(map(way, weights), rows)), repeats, clock) for way in _ways(dtype, device)]
    return flop / min(seconds)


def _ways(dtype: torch.dtype, device: torch.device) -> list[Callable[[Tensor], Multiply]]:
    """The ways to multiply: each makes, of a weight (out, in), a function of rows (n, in)."""
    ways = [lambda weight: lambda rows: linear(rows, weight)]
    if device.type == "cpu" and packed.is_available(dtype):
        ways.append(lambda weight: packed.PackedLinear(weight, None))
    return ways


def _time(chain: Sequence[tuple[Multiply, Tensor]], repeats: int, clock: Clock) -> float:
    """The least seconds that one walk through the chain takes."""

    def walk(rounds: int) -> float:
        start = clock()
        for _ in range(rounds):
            for multiply, rows in chain:
                multiply(rows)
        return clock() - start

    walk(1)
    rounds = max(1, math.ceil(SHORTEST / max(walk(1), 1e-6)))
    return min(walk(rounds) for _ in range(repeats)) / rounds
