# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.sampling import Sampling


@pytest.mark.parametrize(("size", "scale", "smaller"), [
    ((48, 64), 0.5, (24, 32)), ((480, 640), 0.01, (5, 6)), ((3, 5), 0.01, (1, 1)), ((48, 64), 0.99, (48, 63)),
])
def test_all_images_of_a_size_lose_the_same_pixels(size, scale, smaller):
    sampled = Sampling(size, scale)
    rows, columns = np.indices(size)
    down, across = sampled(rows), sampled(columns)
    assert down.shape == across.shape == smaller
    for steps in (np.diff(down[:, 0]), np.diff(across[0])):
        assert not steps.size or (steps.min() >= 1 and np.ptp(steps) <= 1)
    both = sampled(np.stack([rows, columns], axis=2))
    np.testing.assert_array_equal(both, np.stack([down, across], axis=2))
    middle = [(length - 1) / 2 for length in size]
    assert [float(down.mean()), float(across.mean())] == pytest.approx(middle, abs=1), "no side is favoured"


def test_at_the_scale_1_nothing_is_copied():
    image = np.zeros((4, 6), np.uint8)
    assert Sampling((4, 6))(image) is image
