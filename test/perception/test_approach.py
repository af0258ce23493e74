# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.approach import approach

UP = np.array([0.0, 0.0, 1.0])
DOWN_IS_Y = np.array([0.0, -1.0, 0.0])


@pytest.mark.parametrize(("position", "viewpoint", "up", "place"), [
    ((2.0, 0.0, 0.5), (0.0, 0.0, 1.5), UP, (1.5, 0.0, 0.5)),
    ((0.0, 3.0, 0.0), (0.0, 0.0, 1.0), UP, (0.0, 2.5, 0.0)),
    ((0.2, 0.3, 2.0), (0.2, 0.0, 0.0), DOWN_IS_Y, (0.2, 0.3, 1.5)),
    ((1.0, 1.0, 0.0), (1.0, 1.0, 2.0), UP, (1.5, 1.0, 0.0)),
    ((1.0, 1.0, 1.0), (1.0, 0.0, 1.0), DOWN_IS_Y, (1.5, 1.0, 1.0)),
])
def test_it_stands_before_the_thing_at_its_height_upright_and_faces_it(position, viewpoint, up, place):
    position = np.array(position)
    there = approach(position, np.array(viewpoint), up, standoff=0.5)
    np.testing.assert_allclose(there.translation, place, atol=1e-9)
    np.testing.assert_allclose(there.matrix[:, 2], up, atol=1e-9)
    np.testing.assert_allclose(there.matrix[:, 0], (position - there.translation) / 0.5, atol=1e-9)
    assert np.linalg.det(there.matrix) == pytest.approx(1)
