# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipseg_ros.perception.tracking import MOST_TRACKS, Sighting, Tracker

ALONG_Z = np.array([0.0, 0.0, 1.0])


def box(x: int, y: int = 0, *, prompt: str = "mug", at: tuple[float, float, float] | float | None = None) -> Sighting:
    """A filled square of 10 x 10 pixels; `at` is its position, or the last coordinate of it."""
    position = at if at is None else np.multiply(at, ALONG_Z) if np.isscalar(at) else np.array(at)
    return Sighting(prompt, (x, y, 10, 10), np.full((10, 10), 255, np.uint8), position)


def drawn(x: int, y: int, rows: list[str]) -> Sighting:
    """A mask drawn with # and spaces."""
    mask = np.array([[255 if pixel == "#" else 0 for pixel in row] for row in rows], np.uint8)
    return Sighting("mug", (x, y, mask.shape[1], mask.shape[0]), mask)


def again(first: Sighting, second: Sighting, gap: float = 0.0, memory: float = 1.0) -> bool:
    """Whether the second is recognised as the first, `gap` seconds later."""
    tracker = Tracker(memory=memory)
    assert tracker.update(5.0, [first]) == [1]
    (number,) = tracker.update(5.0 + gap, [second])
    assert number in (1, 2)
    return number == 1


@pytest.mark.parametrize(("first", "second", "same"), [
    (box(100), box(100), True),
    # 4 of 16 columns
    (box(100), box(106), True),
    (box(106), box(100), True),
    # 3 of 17 columns
    (box(100), box(107), False),
    (box(100, 50), box(100, 56), True),
    (box(100, 50), box(100, 57), False),
    # 49 of 151 pixels, 36 of 164, 25 of 175
    (box(100, 50), box(103, 47), True),
    (box(100, 50), box(104, 46), True),
    (box(100, 50), box(105, 45), False),
    (box(100), box(400), False),
    (box(100, prompt="mug"), box(100, prompt="plate"), False),
])
def test_masks_that_overlap_by_a_fifth_are_of_one_object(first, second, same):
    assert again(first, second) is same


@pytest.mark.parametrize(("second", "same"), [
    # the same three pixels in a larger box
    (drawn(9, 9, ["    ", " ## ", " #  "]), True),
    # the same box, none of the pixels
    (drawn(10, 10, ["  ", " #"]), False),
    # one pixel of five is shared
    (drawn(10, 11, ["# ", "##"]), True),
    # one pixel of six is shared
    (drawn(10, 11, ["##", "##"]), False),
    (drawn(10, 10, ["  ", "  "]), False),
])
def test_pixels_count_and_not_boxes(second, same):
    assert again(drawn(10, 10, ["##", "# "]), second) is same


@pytest.mark.parametrize(("moved", "before", "now", "same"), [
    # the camera turned
    (300, 1.0, 1.14, True),
    (300, 1.0, 1.16, False),
    (300, (0.3, -0.2, 1.0), (0.39, -0.08, 1.0), False),
    (300, (0.3, -0.2, 1.0), (0.38, -0.08, 1.0), True),
    # one behind the other
    (0, 1.0, 1.49, True),
    (0, 1.0, 1.51, False),
    (0, 1.51, 1.0, False),
    # without depth the image decides
    (300, None, 1.0, False),
    (300, 1.0, None, False),
    (0, None, 1.0, True),
    (0, 1.0, None, True),
])
def test_positions_match_where_masks_do_not_and_veto_where_they_do(moved, before, now, same):
    assert again(box(100, at=before), box(100 + moved, at=now)) is same


@pytest.mark.parametrize(("gap", "distance", "same"), [
    # 0.15 m and 0.15 m for every second
    (0.2, 0.2, False),
    (0.4, 0.2, True),
    (1.5, 0.4, False),
    (2.0, 0.4, True),
    # never more than 0.5 m
    (4.0, 0.49, True),
    (4.0, 0.51, False),
])
def test_the_longer_it_was_gone_the_further_it_may_have_moved(gap, distance, same):
    assert again(box(100, at=1.0), box(300, at=1.0 + distance), gap, memory=5) is same


@pytest.mark.parametrize(("positions", "numbers"), [
    (((0.0, 0.0, 1.0), (0.12, 0.0, 1.0)), [1, 2]),
    # in the image alone, the left one is taken for the right one, and the right one for a new one
    ((None, None), [2, 3]),
])
def test_an_object_that_the_turning_camera_sees_where_another_one_was(positions, numbers):
    tracker = Tracker()
    left, right = positions
    assert tracker.update(0.0, [box(0, at=left), box(20, at=right)]) == [1, 2]
    assert tracker.update(0.1, [box(20, at=left), box(40, at=right)]) == numbers


def test_crossing_objects_are_told_apart_by_depth():
    tracker = Tracker()
    for step in range(9):
        near = box(100 + 5 * step, at=(0.02 * step, 0.0, 1.0))
        far = box(140 - 5 * step, at=(0.16 - 0.02 * step, 0.0, 1.3))
        if step % 2:
            assert tracker.update(0.1 * step, [far, near]) == [2, 1]
        else:
            assert tracker.update(0.1 * step, [near, far]) == [1, 2]
    assert (tracker.born, tracker.died) == (2, 0)


@pytest.mark.parametrize("at", [True, False])
def test_no_chain_of_new_numbers_when_one_goes_and_another_comes(at):
    def cup(place: int) -> Sighting:
        return box(100 + 6 * place, at=(0.12 * place, 0.0, 1.0) if at else None)

    tracker = Tracker()
    assert tracker.update(0.0, [cup(0), cup(1)]) == [1, 2]
    # 1 -> 2 -> 3 would also pass the gate
    assert tracker.update(0.1, [cup(1), cup(2)]) == [2, 3]
    assert tracker.update(0.2, [cup(2), cup(0), cup(1)]) == [3, 1, 2]


@pytest.mark.parametrize(("distance", "number"), [
    # 0.75 x 30 / 105 + 0.25 = 0.46, and 0.55 for the other distance
    (0.03, 1),
    (0.05, 2),
])
def test_nearer_and_elsewhere_in_the_image_or_further_and_in_the_same_place(distance, number):
    tracker = Tracker()
    assert tracker.update(0.0, [box(300, at=1.0 + distance), box(0, at=1.15)]) == [1, 2]
    # 0.75 x 150 / 225 = 0.5 for the second one
    assert tracker.update(0.0, [box(0, at=1.0)]) == [number]


def test_all_pairs_are_chosen_together():
    tracker = Tracker()
    assert tracker.update(0.0, [box(10), box(16)]) == [1, 2]
    # 12 overlaps more with 10 than with 16, but 5 overlaps with 10 alone
    assert tracker.update(0.1, [box(12), box(5)]) == [2, 1]


def test_two_prompts_on_one_region_are_two_objects():
    tracker = Tracker()
    assert tracker.update(0.0, [box(0, prompt="mug", at=1.0), box(0, prompt="cup", at=1.0)]) == [1, 2]
    assert tracker.update(0.1, [box(0, prompt="cup", at=1.0), box(0, prompt="mug", at=1.0)]) == [2, 1]
    assert tracker.update(0.2, [box(0, prompt="jug", at=1.0), box(0, prompt="mug", at=1.0)]) == [3, 1]


@pytest.mark.parametrize("between", [[], [0.3, 0.6], [0.05 * step for step in range(1, 20)]])
@pytest.mark.parametrize(("gap", "numbers"), [(0.99, [1]), (1.0, [1]), (1.01, [2]), (60.0, [2])])
def test_one_that_returns_within_the_memory_keeps_its_number(gap, numbers, between):
    start = 1_700_000_000.3
    tracker = Tracker(memory=1.0)
    tracker.update(start, [box(0)])
    for later in between:
        assert tracker.update(start + later, []) == []
    assert tracker.update(start + gap, [box(2)]) == numbers
    assert (tracker.born, tracker.died) == (numbers[0], numbers[0] - 1)


def test_rounded_stamps_do_not_shorten_the_memory():
    # in float64 0.8 - 0.7 is more than 0.1
    tracker = Tracker(memory=0.1)
    assert [tracker.update(stamp, [box(0)]) for stamp in (0.7, 0.8)] == [[1], [1]]


def test_a_number_is_never_given_again():
    tracker = Tracker(memory=1.0)
    assert [tracker.update(2.0 * step, [box(0)]) for step in range(4)] == [[1], [2], [3], [4]]
    assert (tracker.born, tracker.died, tracker.alive) == (4, 3, {4})


def test_a_prompt_that_is_no_longer_looked_for_runs_out():
    tracker = Tracker(memory=1.0)
    tracker.update(0.0, [box(0, prompt="mug"), box(0, prompt="cup")])
    for step in range(1, 11):
        tracker.update(0.1 * step, [box(0, prompt="cup")])
    assert (tracker.alive, tracker.died) == ({1, 2}, 0)
    tracker.update(1.1, [box(0, prompt="cup")])
    assert (tracker.alive, tracker.died) == ({2}, 1)


@pytest.mark.parametrize("back", [0.001, 0.1, 0.99, 10.0])
def test_a_frame_out_of_order_or_without_a_stamp_renumbers_nothing(back):
    tracker = Tracker(memory=1.0)
    assert tracker.update(10.0, [box(0), box(50)]) == [1, 2]
    assert tracker.update(10.0 - back, [box(0), box(50)]) == [1, 2]
    assert tracker.update(10.9, [box(50), box(0)]) == [2, 1], "it is remembered from the newest moment on"
    assert tracker.died == 0


def test_a_stamp_that_goes_back_starts_again_with_new_numbers():
    tracker = Tracker(memory=1.0)
    assert tracker.update(10.0, [box(0), box(50)]) == [1, 2]
    assert tracker.update(8.9, [box(0)]) == [3]
    assert tracker.update(9.9, [box(0), box(50)]) == [3, 4]
    assert tracker.update(10.0, [box(50), box(0)]) == [4, 3]
    assert (tracker.born, tracker.died) == (4, 2)


def test_reset_forgets_the_objects_but_not_their_numbers():
    tracker = Tracker()
    tracker.update(10.0, [box(0)])
    tracker.reset()
    assert (tracker.alive, tracker.born, tracker.died) == (set(), 1, 1)
    assert tracker.update(2.0, [box(0)]) == [2]


@pytest.mark.parametrize("order", itertools.permutations(range(4)))
def test_the_order_of_the_sightings_does_not_matter(order):
    tracker = Tracker()
    assert tracker.update(0.0, [box(0), box(7), box(30, at=2.0)]) == [1, 2, 3]
    now = [box(2), box(9), box(30, at=2.6), box(80, at=2.1)]
    # the one at 30 is too far behind, the one at 80 is the one that was at 30
    expected = [1, 2, 4, 3]
    assert tracker.update(0.1, [now[index] for index in order]) == [expected[index] for index in order]


@pytest.mark.parametrize("now", [
    [box(500), box(600), box(700)],
    [box(500)],
    [box(0, at=9.0), box(50, at=9.0), box(0, at=5.0)],
    [box(0, prompt="plate")],
])
def test_where_no_pair_may_match_all_are_new(now):
    tracker = Tracker()
    assert tracker.update(0.0, [box(0, at=1.0), box(50, at=1.0)]) == [1, 2]
    assert tracker.update(0.1, now) == list(range(3, 3 + len(now)))
    # and the old ones are still known
    assert tracker.update(0.2, [box(50, at=1.0), box(0, at=1.0)]) == [2, 1]


def test_empty_frames():
    tracker = Tracker()
    assert [tracker.update(stamp, []) for stamp in (3.0, 3.0, 4.0, 1.0)] == [[], [], [], []]
    assert (tracker.born, tracker.died, tracker.alive) == (0, 0, set())


def test_a_number_only_after_so_many_frames():
    tracker = Tracker(births=3)
    assert tracker.update(0.0, [box(0), box(50)]) == [0, 0]
    assert tracker.update(0.1, [box(0)]) == [0]
    assert (tracker.born, tracker.alive) == (0, set())
    assert tracker.update(0.2, [box(50), box(0)]) == [0, 1]
    assert tracker.update(0.3, [box(90), box(0), box(50)]) == [0, 1, 2]
    tracker.update(5.0, [])
    # the one at 90 never had a number
    assert (tracker.born, tracker.died) == (2, 2)


def test_numbers_follow_the_order_of_the_frame_that_gives_them():
    tracker = Tracker(births=2)
    assert tracker.update(0.0, [box(0), box(50), box(0, prompt="cup")]) == [0, 0, 0]
    assert tracker.update(0.1, [box(50), box(0, prompt="cup"), box(0)]) == [1, 2, 3]


def test_three_hundred_objects_in_any_order():
    order = np.random.default_rng(0).permutation(300)
    places = [(20 * (index % 20), 20 * (index // 20)) for index in range(300)]
    tracker = Tracker()
    assert tracker.update(0.0, [box(x, y) for x, y in places]) == list(range(1, 301))
    moved = [box(places[index][0] + 3, places[index][1] + 2) for index in order]
    assert tracker.update(0.1, moved) == (order + 1).tolist()


def test_the_number_of_objects_is_bounded_and_those_seen_last_stay():
    tracker = Tracker(memory=1000.0)
    many = [box(20 * index) for index in range(MOST_TRACKS + 3)]
    assert tracker.update(0.0, many) == [*range(1, MOST_TRACKS + 1), 0, 0, 0]
    assert (tracker.born, tracker.died) == (MOST_TRACKS, 0)
    # all but one of the old ones are seen again, so there is room for one of two new ones
    assert tracker.update(1.0, [box(0, 90), *many[1:MOST_TRACKS], box(0, 50)]) == [
        MOST_TRACKS + 1, *range(2, MOST_TRACKS + 1), 0]
    assert (tracker.died, len(tracker.alive)) == (1, MOST_TRACKS)
    newest = set()
    for step in range(10):
        seen = tracker.update(2.0 + step, [box(20 * index, 200 + 20 * step) for index in range(100)])
        newest = set(seen) | newest if step % 5 else set(seen)
        assert len(tracker.alive) == MOST_TRACKS and tracker.alive.issuperset(newest)


@given(st.lists(st.tuples(
    st.floats(0, 0.8),
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["mug", "cup"]), st.none() | st.floats(0.5, 2)), max_size=6),
), max_size=8), st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_one_object_has_one_number_and_one_prompt(frames, births):
    tracker = Tracker(births=births)
    stamp, prompts = 0.0, {}
    for gap, objects in frames:
        stamp += gap
        numbers = tracker.update(stamp, [box(x, prompt=prompt, at=at) for x, prompt, at in objects])
        given_out = [number for number in numbers if number]
        assert len(numbers) == len(objects) and len(set(given_out)) == len(given_out)
        for number, (_, prompt, _) in zip(numbers, objects):
            assert not number or prompts.setdefault(number, prompt) == prompt
        assert tracker.born - tracker.died == len(tracker.alive) and tracker.alive.issuperset(given_out)
        assert tracker.born == len(prompts)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_overlap_within_the_boxes_is_overlap_in_the_image(data):
    def region() -> tuple[Sighting, np.ndarray]:
        x, y, width, height = (data.draw(st.integers(low, 4)) for low in (0, 0, 1, 1))
        pixels = data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height))
        mask = np.array(pixels, np.uint8).reshape(height, width) * np.uint8(255)
        image = np.zeros((8, 8), bool)
        image[y:y + height, x:x + width] = mask > 0
        return Sighting("mug", (x, y, width, height), mask), image

    (first, one), (second, other) = region(), region()
    union = (one | other).sum()
    assert again(first, second) == bool(union and (one & other).sum() / union >= 0.2)


@pytest.mark.parametrize(("arguments", "sentence"), [
    ({"memory": 0.0}, "memory of the tracker is 0.0 s; it must be positive"),
    ({"memory": -1.0}, "must be positive"),
    ({"memory": math.inf}, "must be positive and finite"),
    ({"memory": math.nan}, "must be positive and finite"),
    ({"births": 0}, "wait for 0 frames; it must be at least 1"),
])
def test_wrong_settings_are_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Tracker(**arguments)


@pytest.mark.parametrize("stamp", [math.nan, math.inf])
def test_a_stamp_that_is_no_time_is_refused_and_changes_nothing(stamp):
    tracker = Tracker()
    tracker.update(1.0, [box(0)])
    with pytest.raises(ValueError, match="finite number of seconds"):
        tracker.update(stamp, [])
    assert tracker.update(1.1, [box(0)]) == [1]


@pytest.mark.parametrize(("roi", "position", "sentence"), [
    ((0, 0, 4, 3), None, None),
    ((0, 0, 4, 3), (1.0, 2.0, 3.0), None),
    ((0, 0, 3, 4), None, r"shape \(3, 4\); that of the roi is \(4, 3\)"),
    ((0, 0, 4, 3), (1.0, 2.0), "three finite numbers, or None"),
    ((0, 0, 4, 3), (1.0, math.nan, 2.0), "three finite numbers, or None"),
])
def test_a_sighting_that_makes_no_sense_is_refused(roi, position, sentence):
    mask = np.full((3, 4), 255, np.uint8)
    mask[0, 0] = 0
    if sentence is None:
        assert Sighting("mug", roi, mask, position).area == 11
        return
    with pytest.raises(ValueError, match=sentence):
        Sighting("mug", roi, mask, position)


@pytest.mark.parametrize("metres", [0.0, 0.8, 1.6])
def test_a_thing_that_is_cut_in_one_frame_and_whole_in_the_next_keeps_its_number(metres):
    """A sofa, seen whole, as two halves, and whole again; with positions where it measures so many metres."""
    def seat(left: int, width: int, at: float) -> Sighting:
        position = np.array([at * metres, 0.0, 2.0]) if metres else None
        return Sighting("sofa", (left, 0, width, 60), np.full((60, width), 255, np.uint8), position)
    tracker = Tracker()
    whole, halves = seat(0, 200, 0.0), [seat(0, 100, -0.25), seat(100, 100, 0.25)]
    assert tracker.update(1.0, [whole]) == [1]
    assert 1 in tracker.update(1.1, halves)
    assert tracker.update(1.2, [whole])[0] in (1, 2)
    assert tracker.update(1.3, halves + [whole])[2] in (1, 2), "the whole stays what it was beside its parts"
