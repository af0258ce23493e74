# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from clipseg_ros.perception.trajectory import MOST, Trajectory
from clipseg_ros.perception.transforms import Transform


def pose(x: float, degrees: float = 0.0) -> Transform:
    return Transform(np.array([x, 0.0, 0.0]), Rotation.from_euler("z", degrees, degrees=True).as_quat())


def moved(*times: float) -> Trajectory:
    """A metre and 90 degrees a second."""
    trajectory = Trajectory()
    for time in times:
        trajectory.add(time, pose(time, 90 * time))
    return trajectory


@pytest.mark.parametrize(("times", "asked", "x"), [
    ((1.0, 1.1), 1.05, 1.05), ((1.0, 1.1), 1.0, 1.0), ((1.0, 1.1, 1.2), 1.175, 1.175),
    ((1.0,), 1.015, 1.0), ((1.0,), 1.03, None), ((1.0, 2.0), 1.5, None), ((1.0, 2.0), 1.99, 2.0),
    ((), 1.0, None), ((1.0, 1.1), 0.9, None), ((5.0, 1.0, 1.1), 5.0, None), ((5.0, 1.0, 1.1), 1.05, 1.05),
    ((1.0, 20.0), 1.0, None),
])
def test_a_pose_is_known_between_two_and_at_one(times, asked, x):
    found = moved(*times).at(asked)
    if x is None:
        assert found is None
    else:
        np.testing.assert_allclose(found.translation, [x, 0, 0], atol=1e-9)
        np.testing.assert_allclose(found.matrix, pose(0, 90 * x).matrix, atol=1e-9)


def test_no_more_is_kept_however_slowly_the_stamps_rise():
    trajectory = moved(*(1 + 1e-6 * step for step in range(MOST + 10)))
    assert len(trajectory) == MOST
    assert trajectory.at(1 + 1e-6 * (MOST + 9)) is not None
