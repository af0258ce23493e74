# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.clipseg import Prompt
from clipseg_ros.clipseg.written import parse_prompts
from clipseg_ros.ros.prompts.store import MAX_VISUAL_PROMPTS, PromptStore

PICTURE = np.full((8, 8, 3), 50, np.uint8)


class Refuses:
    """A segmenter that cannot take the prompt `long`."""

    def check(self, prompts):
        if any(prompt.text == "long" for prompt in prompts):
            raise ValueError("the prompt is too long")


@pytest.fixture
def store() -> PromptStore:
    store = PromptStore(threshold=0.5)
    store.replace(parse_prompts("mug=0.4; chair"), Refuses())
    return store


def test_prompts_without_a_threshold_have_the_common_one(store):
    store.threshold = 0.7
    active = store.active
    assert active.texts == ("mug", "chair")
    assert active.prompts == (Prompt("mug"), Prompt("chair"))
    assert active.thresholds == (0.4, 0.7)


@pytest.mark.parametrize(("line", "says"), [
    ("cup; long", "too long"), ("@nobody", "no visual prompt @nobody.*none yet"), ("a\tb", "control character")])
def test_a_refused_prompt_leaves_all_earlier_ones(store, line, says):
    before = store.active
    with pytest.raises(ValueError, match=says):
        store.replace(parse_prompts(line), Refuses())
    assert store.active == before


def test_replace_says_whether_anything_changed(store):
    assert not store.replace(parse_prompts("mug=0.4; chair"), None)
    assert store.replace(parse_prompts("chair"), None)


def test_a_name_stands_for_its_picture_and_for_a_later_one(store):
    store.set_visual("cup", Prompt(image=PICTURE))
    store.replace(parse_prompts("@cup=0.3"), None)
    assert store.active.texts == ("@cup",)
    assert store.active.prompts == (Prompt(image=PICTURE),)
    store.set_visual("cup", Prompt(image=PICTURE + 1))
    assert store.active.prompts == (Prompt(image=PICTURE + 1),)


def test_negatives_are_resolved_and_their_names_waited_for(store):
    with pytest.raises(ValueError, match="no visual prompt @bowl"):
        store.replace(parse_prompts("cup !plate !@bowl"), None)
    store.await_names(parse_prompts("cup !plate !@bowl=0.3; lamp"), Refuses())
    assert (store.active.texts, store.missing) == (("lamp",), ("cup !plate !@bowl",))
    assert store.asked_for([], 0.9).thresholds == (0.9,)
    assert not store.set_visual("other", Prompt(image=PICTURE))
    assert store.set_visual("bowl", Prompt(image=PICTURE))
    assert (store.active.texts, store.missing) == (("cup !plate !@bowl", "lamp"), ())
    assert store.active.prompts == (Prompt("cup", unlike=("plate", Prompt(image=PICTURE))), Prompt("lamp"))
    assert store.active.thresholds == (0.3, 0.5)


def test_there_is_an_end_to_names_but_not_to_replacing(store):
    prompt = Prompt(image=PICTURE)
    for index in range(MAX_VISUAL_PROMPTS):
        store.set_visual(f"n{index}", prompt)
    with pytest.raises(ValueError, match="visual prompts already"):
        store.set_visual("more", prompt)
    store.set_visual("n0", prompt)


def test_a_name_that_cannot_be_used_is_refused(store):
    with pytest.raises(ValueError, match="cannot be used"):
        store.set_visual("my cup", Prompt(image=PICTURE))
