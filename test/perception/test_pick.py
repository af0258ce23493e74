# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.found import FoundObject
from clipseg_ros.perception.location import Location
from clipseg_ros.perception.pick import Pick
from clipseg_ros.perception.regions import Region

PLACES = {"mug": 0, "bowl": 1}


def found(prompt: str, track_id: int, score: float) -> FoundObject:
    region = Region(score, 1, (0.0, 0.0), (0, 0, 1, 1), np.full((1, 1), 255, np.uint8))
    return FoundObject(region, prompt, PLACES[prompt], Location((0.0, 0.0)), None, track_id)


MUG, MUG_2, BOWL = (1, "mug", 0.8), (2, "mug", 0.7), (3, "bowl", 0.9)


def chosen(pick: Pick, frames, remembered=()) -> list[int | None]:
    """The number of the chosen object in each of the frames, which have triples of number, prompt and score."""
    numbers = []
    for frame in frames:
        one = pick.choose([found(prompt, number, score) for number, prompt, score in frame], remembered.__contains__)
        numbers.append(one and one.track_id)
    return numbers


@pytest.mark.parametrize(("pick", "frames", "remembered", "numbers"), [
    # the first prompt's best, until it is forgotten
    ({}, [[MUG_2, MUG, BOWL], [(1, "mug", 0.5), MUG_2], [MUG_2], [MUG, MUG_2]], {1}, [1, 1, None, 1]),
    ({}, [[MUG, MUG_2], [MUG_2], [MUG, MUG_2]], set(), [1, 2, 2]),
    ({"prompt": "bowl"}, [[MUG, BOWL], [MUG]], set(), [3, None]),
    ({"track_id": 2}, [[MUG, MUG_2], [MUG], [MUG_2]], set(), [2, None, 2]),
    ({}, [[]], set(), [None]),
    # without numbers it is the best of each frame
    ({}, [[(0, "mug", 0.5), (0, "mug", 0.8)], [(0, "mug", 0.6)]], set(), [0, 0]),
])
def test_the_chosen_one_stays_the_chosen_one(pick, frames, remembered, numbers):
    assert chosen(Pick(**pick), frames, remembered) == numbers
