# SPDX-License-Identifier: Apache-2.0
"""A tour shows the furnished room, and a thing that is moved is somewhere else afterwards."""
from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("rendering")


def test_a_tour_shows_most_things_and_stays_in_the_room(home):
    from clipseg_ros.lab.scenes.tour import Room

    room = Room(home, 3)
    scenes = list(room.tour(20))
    assert len(scenes) == 20
    shown = {(thing.model, thing.pose) for scene in scenes for thing in scene.objects}
    assert len(shown) >= 0.8 * len(room.plan.placements)
    left, right, front, back = room.plan.room
    for scene in scenes:
        x, y, z = scene.camera_pose[:3, 3]
        assert left < x < right and front < y < back and 0.3 < z < 2.2
    again = next(Room(home, 3).tour(20))
    np.testing.assert_array_equal(again.ids, scenes[0].ids)


def test_one_thing_is_moved_and_everything_else_stays(home):
    from clipseg_ros.lab.scenes.tour import Room

    for seed in range(20):
        room = Room(home, seed)
        before = set(room.plan.placements)
        try:
            one, moved = room.rearrange()
        except ValueError:
            continue
        assert set(room.plan.placements) == before - {one} | {moved}
        assert moved.item == one.item and moved.position[2] == one.position[2]
        assert np.linalg.norm(np.subtract(moved.position, one.position)) > 0.25
        return
    pytest.fail("in none of 20 rooms could a thing be moved")


def test_noise_has_the_length_that_it_is_given():
    from clipseg_ros.lab.scenes.tour import shaken

    noisy = shaken(np.eye(4), np.random.default_rng(0), metres=0.02, degrees=3.0)
    assert np.linalg.norm(noisy[:3, 3]) == pytest.approx(0.02)
    assert np.degrees(np.arccos((np.trace(noisy[:3, :3]) - 1) / 2)) == pytest.approx(3.0)
