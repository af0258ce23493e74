# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.lab.scenes.phrases import TYPES, Phrase, sample_phrases
from clipseg_ros.lab.scenes.scene import SceneObject
from clipseg_ros.lab.scenes.vocabulary import AFFORDANCES, CATEGORIES, COLOURS

MANY = {name: 50 for name in TYPES}


def thing(number, category, colour=None, *, nameable=True, z=1.0):
    return SceneObject(
        number, category, colour, "shape/test", (0.1, 0.1, 0.1), (0.0, 0.0, z), nameable=nameable
    )


def picture(*objects):
    """One column of 20 pixels for each object, in order, on a background."""
    ids = np.zeros((40, 30 * len(objects)), np.uint8)
    for i, item in enumerate(objects):
        ids[10:30, 30 * i : 30 * i + 20] = item.id
    return ids


def texts(objects, kind, *, ids=None, seeds=20, **options):
    """What is said of one type over many seeds: {text: ids}."""
    ids = picture(*objects) if ids is None else ids
    said = {}
    for seed in range(seeds):
        for phrase in sample_phrases(objects, ids, np.random.default_rng(seed), counts=MANY, **options):
            if phrase.type == kind:
                said[phrase.text] = phrase.ids
    return said


def test_nouns_mean_every_object_of_the_category():
    objects = [thing(1, "cup", "red"), thing(2, "ball", "blue"), thing(3, "cup", "green")]
    said = texts(objects, "noun", articles=False)
    assert said == {"cup": (1, 3), "mug": (1, 3), "ball": (2,)}


def test_colours_mean_the_objects_of_that_colour():
    objects = [thing(1, "cup", "red"), thing(2, "cup", "blue"), thing(3, "cup", "red")]
    said = texts(objects, "colour", articles=False)
    assert said["red cup"] == (1, 3) and said["blue mug"] == (2,)
    assert set(said) == {f"{c} {n}" for c in ("red", "blue") for n in ("cup", "mug")}


@pytest.mark.parametrize("other", [None, "brown"])
def test_a_colour_is_not_asked_for_beside_one_that_could_be_meant_too(other):
    assert texts([thing(1, "cup", "orange"), thing(2, "cup", other)], "colour") == {}


def test_affordances_mean_what_surely_fits():
    objects = [thing(1, "chair"), thing(2, "sofa"), thing(3, "ball")]
    said = texts(objects, "affordance")
    assert said["something to sit on"] == (1, 2) and said["something to play with"] == (3,)


def test_a_doubtful_object_keeps_the_affordance_from_being_asked_or_called_absent():
    objects = [thing(1, "chair"), thing(2, "bed")]
    wordings = {"something to sit on", *AFFORDANCES["something to sit on"].wordings}
    assert not wordings & set(texts(objects, "affordance"))
    assert not wordings & set(texts([thing(1, "bed")], "absent", seeds=60))


def test_places_follow_the_picture_when_it_is_mirrored():
    objects = [thing(1, "chair"), thing(2, "chair"), thing(3, "lamp")]
    ids = picture(*objects)
    assert texts(objects, "place", ids=ids)["the leftmost chair"] == (1,)
    assert texts(objects, "place", ids=ids[:, ::-1])["the leftmost chair"] == (2,)


def test_places_in_depth_need_a_plain_difference():
    said = texts([thing(1, "chair", z=1.0), thing(2, "chair", z=3.0)], "place")
    assert said["the nearest chair"] == (1,) and said["the farthest chair"] == (2,)
    said = texts([thing(1, "chair", z=1.0), thing(2, "chair", z=1.02)], "place")
    assert set(said) == {"the leftmost chair", "the rightmost chair"}


def test_what_is_absent_is_absent():
    objects = [thing(1, "cup", "red"), thing(2, "table", "brown"), thing(3, "chair", None)]
    said = texts(objects, "absent", seeds=150, articles=False)
    assert len(said) > 60 and all(ids == () for ids in said.values())
    names = {n: c for c in CATEGORIES for n in (c, *CATEGORIES[c].synonyms)}
    for text in said:
        first, _, rest = text.partition(" ")
        colour, name = (first, rest) if first in COLOURS else (None, text)
        category = names.get(name)
        if category is None:
            continue
        assert category not in ("desk", "armchair", "stool", "chair"), text
        if category in ("cup", "table"):
            assert (
                colour is not None
                and colour
                not in {
                    "cup": ("red", "brown", "orange", "pink"),
                    "table": ("brown", "orange", "red", "black"),
                }[category]
            ), text


def test_an_object_that_nobody_would_point_out_is_neither_asked_for_nor_absent():
    objects = [thing(1, "cup", "red"), thing(2, "ball", "blue", nameable=False)]
    for kind in ("noun", "colour", "affordance"):
        assert not any("ball" in text or "play" in text for text in texts(objects, kind))
    absent = texts(objects, "absent", seeds=150)
    assert not any("ball" in text or "toy" in text or "play" in text for text in absent)


def test_what_a_crop_leaves_out_is_gone_and_what_it_nearly_leaves_out_is_not_asked_for():
    objects = [thing(1, "cup", "red"), thing(2, "ball", "blue")]
    ids = picture(*objects)
    assert set(texts(objects, "noun", ids=ids[:, :25], articles=False)) == {"cup", "mug"}
    assert any("ball" in t for t in texts(objects, "absent", ids=ids[:, :25], seeds=100))
    sliver = ids.copy()
    sliver[(ids == 2) & (np.indices(ids.shape)[0] > 10)] = 0
    sliver[10, 32:] = 0
    assert set(texts(objects, "noun", ids=sliver, articles=False)) == {"cup", "mug"}


def test_counts_and_seed_are_kept():
    objects = [thing(i, c, "red") for i, c in enumerate(("cup", "ball", "chair", "lamp", "hat"), start=1)]
    counts = {"noun": 3, "colour": 1, "absent": 2}
    made = [
        sample_phrases(objects, picture(*objects), np.random.default_rng(4), counts=counts) for _ in range(2)
    ]
    assert made[0] == made[1]
    kinds = [phrase.type for phrase in made[0]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == counts


def test_an_empty_scene_allows_only_what_is_absent():
    phrases = sample_phrases([], np.zeros((8, 8), np.uint8), np.random.default_rng(0), counts=MANY)
    assert phrases and {phrase.type for phrase in phrases} == {"absent"}


def test_articles():
    objects = [thing(1, "shoes", "orange"), thing(2, "armchair"), thing(3, "bread")]
    said = {**texts(objects, "noun", seeds=80), **texts(objects, "colour", seeds=80)}
    assert {"armchair", "the armchair", "an armchair", "the bread", "orange shoes"} <= set(said)
    assert not {"a shoes", "a armchair", "a bread", "an orange shoes"} & set(said)


def test_mask():
    ids = np.array([[0, 1], [2, 1]], np.uint8)
    assert Phrase("cup", "noun", (1,)).mask(ids).tolist() == [[False, True], [False, True]]
    assert not Phrase("ball", "absent").mask(ids).any()
