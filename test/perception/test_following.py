# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.following import Follower
from clipseg_ros.perception.found import FoundObject
from clipseg_ros.perception.location import Location
from clipseg_ros.perception.poses import Pose
from clipseg_ros.perception.regions import Region


def cup(x: int, metres: float | None = None) -> FoundObject:
    region = Region(score=0.9, area=400, centroid=(x + 9.5, 9.5), roi=(x, 0, 20, 20), mask=np.full((20, 20), 255, np.uint8))
    pose = None if metres is None else Pose(np.array([0.0, 0.0, metres]), np.array([0.0, 0.0, 0.0, 1.0]), np.ones(3),
                                            np.eye(6))
    return FoundObject(region, "cup", 0, Location(region.centroid), pose)


def numbers(objects) -> list[int]:
    return [one.track_id for one in objects]


def test_objects_keep_their_numbers_while_they_move():
    follower = Follower(memory=1.0, births=1, weight=1.0)
    assert numbers(follower.follow([cup(0), cup(100)], 0.0)) == [1, 2]
    assert numbers(follower.follow([cup(103), cup(4)], 0.1)) == [2, 1]
    assert numbers(follower.follow([cup(8)], 0.2)) == [1]
    assert numbers(follower.follow([cup(103), cup(200)], 0.3)) == [2, 3]
    assert (follower.born, follower.died) == (3, 0)
    follower.follow([], 9.0)
    assert (follower.born, follower.died) == (3, 3)


def test_a_number_comes_after_so_many_births():
    follower = Follower(memory=1.0, births=3, weight=1.0)
    assert [numbers(follower.follow([cup(0)], 0.1 * frame)) for frame in range(4)] == [[0], [0], [1], [1]]


@pytest.mark.parametrize(("weight", "expected"), [(1.0, 2.1), (0.25, 2.025)])
def test_a_followed_pose_is_smoothed_by_the_weight(weight, expected):
    follower = Follower(memory=1.0, births=1, weight=weight)
    follower.follow([cup(0, 2.0)], 0.0)
    found, = follower.follow([cup(0, 2.1)], 0.1)
    assert found.pose.position == pytest.approx((0, 0, expected))
    assert found.location.pose is None
    assert found.pose.extent == pytest.approx((1, 1, 1))
