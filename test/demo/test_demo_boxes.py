# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("clipseg_ros.msg")
from clipseg_ros.demo.boxes import AXES, draw_boxes  # noqa: E402
from clipseg_ros.msg import SegmentedObject  # noqa: E402

K = np.array([[100.0, 0, 50], [0, 100, 40], [0, 0, 1]])


def crate(z: float, *, has_pose: bool = True) -> SegmentedObject:
    """20 cm wide, 10 cm high, flat, straight ahead."""
    one = SegmentedObject(has_pose=has_pose)
    one.pose.pose.position.z = z
    one.pose.pose.orientation.w = 1.0
    one.extent.x, one.extent.y, one.extent.z = 0.2, 0.1, 0.0
    return one


def test_the_box_is_drawn_where_the_camera_sees_it():
    blank = np.zeros((80, 100, 3), np.uint8)
    drawn = draw_boxes(blank, [crate(1.0)], K)
    assert not blank.any()
    rows, columns = np.nonzero(drawn.any(axis=2))
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == pytest.approx((40, 60, 35, 45), abs=2)
    # the x axis starts in the middle and goes to the right
    assert tuple(drawn[40, 53]) == AXES[0]


@pytest.mark.parametrize("one", [crate(1.0, has_pose=False), crate(-1.0), crate(0.01)])
def test_what_has_no_pose_or_is_not_in_front_of_the_camera_is_not_drawn(one):
    assert not draw_boxes(np.zeros((80, 100, 3), np.uint8), [one], K).any()
