# SPDX-License-Identifier: Apache-2.0
import pytest

from clipseg_ros.clipseg.written import MAX_PROMPTS, parse_prompts
from clipseg_ros.web.prompt_list import PromptList


def listed(line: str) -> PromptList:
    page = PromptList()
    page.add(parse_prompts(line))
    return page


def wanted(page: PromptList) -> list[str]:
    return [prompt.written for prompt in page.wanted]


def test_what_is_switched_off_is_not_looked_for_and_not_forgotten():
    page = listed("mug=0.4; chair")
    page.switch("mug", False)
    assert wanted(page) == ["chair"] and [one.text for one in page.entries] == ["mug", "chair"]
    page.switch("mug", True)
    assert wanted(page) == ["mug=0.4", "chair"]


def test_a_prompt_that_is_there_is_switched_on_again_and_takes_a_new_threshold():
    page = listed("mug=0.4; chair")
    page.switch("mug", False)
    page.add(parse_prompts("mug; chair=0.7"))
    assert wanted(page) == ["mug=0.4", "chair=0.7"]


def test_a_threshold_of_its_own_can_be_given_up():
    page = listed("mug=0.4; chair")
    page.sent()
    page.adopt(["mug", "chair"], [0.4, 0.3])
    page.set_threshold("mug", None)
    assert wanted(page) == ["mug", "chair"] and page.entries[0].effective == 0.3


def test_colours_stay_while_others_come_and_go():
    page = listed("a; b; c")
    page.remove("a")
    page.add(parse_prompts("d"))
    assert {one.text: one.colour for one in page.entries} == {"b": 1, "c": 2, "d": 0}


@pytest.mark.parametrize("act, complaint", [
    (lambda page: page.switch("cup", True), "there is no prompt 'cup'"),
    (lambda page: page.remove("cup"), "there is no prompt 'cup'"),
    (lambda page: page.set_threshold("mug", 1.0), "must be greater than 0 and less than 1"),
    (lambda page: page.set_threshold("mug", float("nan")), "must be greater than 0 and less than 1"),
    (lambda page: page.add(parse_prompts("; ".join(map(str, range(MAX_PROMPTS))))), "remove one first"),
])
def test_what_makes_no_sense_is_refused(act, complaint):
    with pytest.raises(ValueError, match=complaint):
        act(listed("mug"))


def test_an_echo_of_what_was_sent_changes_no_switch():
    page = listed("mug")
    page.sent()
    page.add(parse_prompts("chair"))
    page.sent()
    page.adopt(["mug"], [0.3])  # of the first change, arriving after the second one
    assert wanted(page) == ["mug", "chair"] and page.entries[0].effective == 0.3


def test_a_threshold_on_its_way_is_not_undone_by_an_older_one():
    page = listed("mug=0.6")
    page.sent()
    page.set_threshold("mug", 0.7)
    page.sent()
    page.adopt(["mug"], [0.6])
    assert page.entries[0].effective == 0.7 and wanted(page) == ["mug=0.7"]


def test_what_others_set_is_shown_as_it_is():
    page = listed("mug; chair")
    page.adopt(["chair", "the red cup"], [0.5, 0.25])
    assert [(one.text, one.on) for one in page.entries] == [("mug", False), ("chair", True), ("the red cup", True)]
    assert wanted(page) == ["chair", "the red cup=0.25"]
