# SPDX-License-Identifier: Apache-2.0
"""The machine's limit, on a clock that tells prescribed times."""

import pytest
import torch

from clipseg_ros.clipseg.setting import Setting
from clipseg_ros.lab.benchmarking import limit
from clipseg_ros.lab.benchmarking.arithmetic import Product
from clipseg_ros.lab.benchmarking.limit import limiting_precision, measure_limit

CPU = torch.device("cpu")
PRODUCTS = (Product(2, 3, 5), Product(1, 2, 10))  # 60 + 40 operations


def clock_of(durations):
    """Two readings for each duration."""
    now, left = 0.0, iter(durations)
    readings = []
    for duration in left:
        readings += [now, now + duration]
        now += duration + 1.0
    remaining = iter(readings)
    return lambda: next(remaining)


@pytest.fixture
def plain_products(monkeypatch):
    monkeypatch.setattr(limit.packed, "is_available", lambda *_: False)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_fastest_call_counts(plain_products, precision):
    # warm-up, one walk, then the calls: one walk each, since that takes longer than the shortest call
    clock = clock_of([9.0, 0.5, 0.4, 0.2, 0.3])
    assert measure_limit(PRODUCTS, precision, CPU, repeats=3, clock=clock) == pytest.approx(100 / 0.2)


def test_a_short_walk_is_repeated_until_it_can_be_timed(plain_products):
    # a walk takes a bit more than a quarter of the shortest call, so each call walks four times
    clock = clock_of([9.0, limit.SHORTEST / 3.5, 0.4, 0.2])
    assert measure_limit(PRODUCTS, "float32", CPU, repeats=2, clock=clock) == pytest.approx(4 * 100 / 0.2)


@pytest.mark.skipif(not limit.packed.is_available(), reason="this PyTorch has no packed products")
@pytest.mark.parametrize(("plain", "packed"), [(0.4, 0.1), (0.1, 0.4)])
def test_the_faster_way_to_multiply_counts(plain, packed):
    clock = clock_of([1.0, 1.0, plain, 1.0, 1.0, packed])
    assert measure_limit(PRODUCTS, "float32", CPU, repeats=1, clock=clock) == pytest.approx(1000)


def test_a_real_clock_gives_a_rate(monkeypatch):
    monkeypatch.setattr(limit, "SHORTEST", 1e-4)
    assert measure_limit(PRODUCTS, "float32", CPU, repeats=1) > 0


@pytest.mark.parametrize(("backend", "device", "precision", "limiting"), [
    ("torch", "cpu", "float32", "float32"),
    ("torch", "cpu", "bfloat16", "bfloat16"),
    ("torch", "cpu", "float16", "float32"),  # computed in float32
    ("torch", "cuda", "float16", "float16"),
    ("openvino", "cpu", "float16", None),
    ("openvino", "cpu", "float32", "float32"),
    ("onnxruntime", "cpu", "int8", None),
])
def test_what_limits(backend, device, precision, limiting):
    assert limiting_precision(Setting(backend, torch.device(device), precision)) == limiting
