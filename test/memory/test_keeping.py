# SPDX-License-Identifier: Apache-2.0
"""Frames are kept for what they show that is new, and let go of for what others show as well."""
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.memory.keeping import Keeping, Novelty
from clipseg_ros.memory.keyframe import Keyframe
from clipseg_ros.perception.transforms import Transform


def pose(x: float = 0.0, degrees: float = 0.0) -> Transform:
    half = np.radians(degrees) / 2
    return Transform.from_quaternion([x, 0, 0], [0, 0, np.sin(half), np.cos(half)])


def frame(number: int, x: float = 0.0, *, camera: str = "front", degrees: float = 0.0) -> Keyframe:
    features = np.ones((3, 5, 4), np.float16)
    return Keyframe(number, camera, float(number), pose(x, degrees), features, b"", (6, 8))


@pytest.mark.parametrize("x, degrees, expected", [
    (0.0, 0.0, 0.0), (0.25, 0.0, 1.0), (0.0, 15.0, 1.0), (0.0, -30.0, 2.0), (0.75, 60.0, 5.0), (0.0, 360.0, 0.0)])
def test_moving_and_turning_count_together(x, degrees, expected):
    keeping = Keeping(1000, Novelty(step=0.25, turn=15.0))
    keeping.put(frame(0))
    assert keeping.nearest("front", pose(x, degrees))[0] == pytest.approx(expected, abs=1e-5)
    assert keeping.nearest("rear", pose(x, degrees)) == (np.inf, None)


def test_a_known_view_is_outdated_by_age_and_by_a_small_change_from_the_same_place():
    keeping, known = Keeping(1000, Novelty(change=0.5, max_age=60.0)), frame(0)
    same = known.features
    one_token = same.copy()
    one_token[0, 3] += 1
    keeping.put(known)

    def is_new(camera: str, x: float, stamp: float, features) -> bool:
        distance, nearest = keeping.nearest(camera, pose(x))
        return keeping.is_new(nearest, distance, stamp, features)

    assert is_new("front", 0.2, 60.5, lambda: same)
    assert not is_new("front", 0.0, 59.0, lambda: same)
    assert is_new("front", 0.0, -60.5, lambda: same), "a clock that went back, which made what is kept seem to be later"
    assert is_new("front", 0.02, 1.0, lambda: one_token)
    assert not is_new("front", 0.02, 1.5, pytest.fail), "it was looked at a moment ago"
    assert is_new("front", 0.02, 2.5, lambda: one_token)
    assert not is_new("front", 0.2, 1.0, pytest.fail), "from elsewhere all looks a little different"
    assert is_new("rear", 0.0, 1.0, pytest.fail), "nothing is asked for where the pose says enough"


def test_over_budget_the_most_redundant_goes_never_simply_the_oldest():
    size = frame(0).nbytes
    keeping = Keeping(3 * size, Novelty())
    for number, x in enumerate([0.0, 5.0, 5.4, 9.0]):
        keeping.put(frame(number, x))
    assert list(keeping.frames) == [0, 2, 3], "of the two nearest the older one"
    keeping.put(frame(4, 9.3, camera="rear"))
    assert keeping.nbytes == 3 * size and 4 in keeping.frames


def test_the_same_view_takes_the_place_of_the_older_one():
    keeping = Keeping(10**6, Novelty(step=1.0))
    keeping.put(frame(0, 0.0))
    keeping.put(frame(1, 0.0, camera="rear"))
    keeping.put(frame(2, 0.5))
    keeping.put(frame(3, 0.1))
    assert list(keeping.frames) == [1, 2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_noted_of_the_nearest_is_true_whatever_came_and_went(seed):
    rng = np.random.default_rng(seed)
    keeping = Keeping(8 * frame(0).nbytes, Novelty())
    for number in range(40):
        keeping.put(frame(number, float(rng.uniform(0, 20)), camera=str(rng.choice(["front", "rear"])),
                          degrees=float(rng.uniform(0, 90))))
        if number % 7 == 6:
            keeping.remove([int(rng.choice(list(keeping.frames)))])
        assert keeping.nbytes == sum(one.nbytes for one in keeping.frames.values()) <= 8 * frame(0).nbytes
        for camera, places in keeping.places.items():
            mine = [one for one in keeping.frames.values() if one.camera == camera]
            assert places.numbers.tolist() == [one.number for one in mine]
            for one, gap in zip(mine, places.gaps):
                apart = places.distances(one.pose)[places.numbers != one.number]
                assert gap == pytest.approx(apart.min(initial=np.inf), rel=1e-6, abs=1e-6)


def test_novelty_must_be_something():
    with pytest.raises(ValueError, match="above 0"):
        Novelty(step=0.0)
