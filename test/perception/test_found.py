# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.found import locate_objects
from clipseg_ros.perception.regions import Region
from clipseg_ros.perception.transforms import Transform

CAMERA = Pinhole(50.0, 50.0, 32.0, 24.0, (64, 48))


def square(x: int) -> Region:
    return Region(score=0.9, area=100, centroid=(x + 4.5, 14.5), roi=(x, 10, 10, 10), mask=np.full((10, 10), 255, np.uint8))


def test_objects_come_in_the_order_of_prompts_and_regions():
    found = locate_objects([[square(40), square(0)], [], [square(20)]], ["mug", "lamp", "chair"])
    assert [(one.prompt, one.prompt_index, one.region.roi[0]) for one in found] == [
        ("mug", 0, 40), ("mug", 0, 0), ("chair", 2, 20)]
    assert all(one.pose is None and one.track_id == 0 for one in found)
    assert locate_objects([], []) == ()


def test_every_prompt_has_its_list():
    with pytest.raises(ValueError):
        locate_objects([[square(0)]], ["mug", "lamp"])


def test_moving_a_pose():
    one, = locate_objects([[square(0)]], ["mug"], CAMERA, np.full((48, 64), 2.0, np.float32))
    up = Transform.from_quaternion((0.0, 0.0, 3.0), (0.0, 0.0, 0.0, 1.0))
    assert one.seen_from(up).pose.position[2] == pytest.approx(5.0)
    assert one.seen_from(None).pose is None
    nowhere, = locate_objects([[square(0)]], ["mug"], CAMERA)
    assert nowhere.seen_from(up) is nowhere
