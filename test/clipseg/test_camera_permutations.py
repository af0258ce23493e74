# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.model import SMALL, CLIPSeg

NAMES = ("front", "left", "rear", "arm")


@functools.cache
def segmenter() -> Segmenter:
    return Segmenter(CLIPSeg(SMALL), device="cpu")


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 50 + seed % 3, 3), np.uint8)


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(len(NAMES))), st.integers(0, 1000))
def test_permuting_cameras_permutes_results(order, seed):
    pictures = [picture(seed + index) for index in range(len(NAMES))]
    straight = segmenter().segment(pictures, ["mug", "chair"], camera=list(NAMES))
    # cameras of other names, so that nothing comes from the caches
    permuted = segmenter().segment([pictures[index] for index in order], ["mug", "chair"],
                                   camera=[f"other {NAMES[index]}" for index in order])
    for place, index in enumerate(order):
        np.testing.assert_allclose(permuted[place], straight[index], atol=1e-5)
