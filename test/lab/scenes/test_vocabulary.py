# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from clipseg_ros.lab.scenes.vocabulary import AFFORDANCES, CATEGORIES, COLOURS, CONFUSABLE


def test_it_is_as_large_as_promised():
    assert len(CATEGORIES) >= 22
    assert len(set(COLOURS)) == len(COLOURS) == 11
    assert 12 <= len(AFFORDANCES)


def test_no_two_things_share_a_name():
    names = [n for c, category in CATEGORIES.items() for n in (c, *category.synonyms)]
    names += [w for text, a in AFFORDANCES.items() for w in (text, *a.wordings)]
    assert len(set(names)) == len(names)


def test_affordances_and_confusions_speak_of_categories():
    for affordance in AFFORDANCES.values():
        assert affordance.categories
        assert {*affordance.categories, *affordance.maybe} <= set(CATEGORIES)
        assert not set(affordance.categories) & set(affordance.maybe)
    assert {name for pair in CONFUSABLE for name in pair} <= set(CATEGORIES)


def test_every_category_stands_somewhere():
    assert all(category.floor or category.table for category in CATEGORIES.values())
