# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.lab.scenes.colours import name_of, shade
from clipseg_ros.lab.scenes.vocabulary import COLOURS


@pytest.mark.parametrize("name", COLOURS)
def test_a_shade_is_called_by_its_name(name):
    rng = np.random.default_rng(0)
    shades = [shade(name, rng) for _ in range(200)]
    assert len(set(shades)) > 100 and all(0 <= v <= 1 for rgb in shades for v in rgb)
    assert all(name_of(rgb) == name for rgb in shades)


@pytest.mark.parametrize("rgb", [(0.85, 0.7, 0.5), (0.75, 0.75, 0.75), (0.3, 0.6, 0.6), (0.8, 0.85, 0.3)])
def test_what_people_would_dispute_has_no_name(rgb):
    assert name_of(rgb) is None
