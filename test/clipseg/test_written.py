# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from clipseg_ros.clipseg.written import MAX_PROMPTS, PromptText, check_name, parse_prompts


@pytest.mark.parametrize(("line", "prompts"), [
    ("mug", [("mug", None)]),
    ("mug=0.4; something to sit on", [("mug", 0.4), ("something to sit on", None)]),
    ("  the red  mug = .25 ;", [("the red  mug", 0.25)]),
    ("@my_cup=0.3;@other-1", [("@my_cup", 0.3), ("@other-1", None)]),
    ("a=b=0.5", [("a=b", 0.5)]),
    ("mug＝0.4；\ufeffchair", [("mug", 0.4), ("chair", None)]),
    ("Tasse für Grüße", [("Tasse für Grüße", None)]),
    ("mug !bowl !dinner plate=0.4", [("mug !bowl !dinner plate", 0.4)]),
    ("@cup  ! bowl\t!@my_bowl; bowl！", [("@cup !bowl !@my_bowl", None), ("bowl!", None)]),
    ("hey! mug", [("hey! mug", None)]),
    ("a=b !c=0.5", [("a=b !c", 0.5)]),
    ("mug ！bowl", [("mug !bowl", None)]),
    ("", []),
    (" ; ;", []),
])
def test_a_line_of_prompts(line, prompts):
    found = parse_prompts(line)
    assert found == tuple(PromptText(*prompt) for prompt in prompts)
    assert parse_prompts(*(prompt.written for prompt in found)) == found


@pytest.mark.parametrize(("line", "says"), [
    ("mug=high", "threshold 'high' of the prompt 'mug' is not a number; write it as in 'mug=0.4'"),
    ("mug=", "threshold '' of the prompt 'mug' is not a number"),
    ("mug=0.4=0.5", "the prompt 'mug=0.4=0.5' has two thresholds; write one"),
    ("mug=1.5", "threshold of the prompt 'mug' is 1.5; it must be greater than 0 and less than 1"),
    ("mug=0", "is 0; it must be greater than 0"),
    ("mug=nan", "is nan; it must be"),
    ("=0.5", "no words"),
    ("mug; chair; mug=0.3", "'mug' is there twice"),
    ("@", "the name '' of the visual prompt"),
    ("@my cup", "the name 'my cup' of the visual prompt"),
    (";".join(f"thing {i}" for i in range(MAX_PROMPTS + 1)), f"at most {MAX_PROMPTS}"),
    ("mug" + "".join(f" !{i}" for i in range(MAX_PROMPTS)), f"1 prompts and {MAX_PROMPTS} negatives; at most"),
    ("!bowl", "'!bowl' says only what is not meant; write what is meant in front"),
    ("mug !", "'mug !' has a '!' without a word behind it"),
    ("mug !!bowl", "without a word behind it"),
    ("mug ! !bowl", "without a word behind it"),
    ("!", "only what is not meant"),
    ("mug !bowl !mug", "its own negative"),
    ("mug !bowl !plate ! bowl", "the negative 'bowl' twice"),
    ("mug !@my bowl", "the name 'my bowl' of the visual prompt"),
    ("mug=0.4 !bowl", "'mug=0.4 !bowl' is in front of a negative; write it at the end, as in 'mug !bowl=0.4'"),
    ("mug=0.4 !bowl=0.5", "in front of a negative"),
    ("mug !bowl=0.4=0.5", "two thresholds"),
    ("mug !bowl; mug  !bowl=0.3", "'mug !bowl' is there twice"),
])
def test_a_faulty_line_is_refused_with_a_sentence(line, says):
    with pytest.raises(ValueError, match=says):
        parse_prompts(line)


@pytest.mark.parametrize("name", ["", "a b", "ä", "@x", "x" * 65, "a/b", "a\n"])
def test_names_that_cannot_be_used(name):
    with pytest.raises(ValueError, match="cannot be used"):
        check_name(name)


def test_the_parts_of_a_prompt_and_the_names_among_them():
    assert PromptText("cup").parts == ("cup",)
    assert PromptText("cup").visual_names == ()
    assert PromptText("@cup !bowl !@b").parts == ("@cup", "bowl", "@b")
    assert PromptText("@cup !bowl !@b").visual_names == ("cup", "b")


def test_a_negative_that_is_a_prompt_as_well_or_shared_counts_once():
    things = [f"thing {i}" for i in range(MAX_PROMPTS - 1)]
    parse_prompts(*(f"{thing} !{things[0]} !{things[1]} !other" for thing in things[2:]), *things[:2])


@pytest.mark.parametrize(("line", "says"), [
    ("mug" + " " * 99_990 + "cup", None),
    ("mug" + "\u3000!" * 40_000, "40000 negatives"),
    ("mug" + "".join(f" !{i}" for i in range(10_000)), "10000 negatives"),
    (";".join(map(str, range(10_000))), "10000 prompts"),
    ("=" * 99_999, "is not a number"),
    ("x" * 100_001, "the prompts have 100001 characters; at most 100000 are taken"),
    (" " * 10**7, "the prompts have 10000000 characters"),
])
def test_a_line_of_any_length_is_answered(line, says):
    if says is None:
        assert len(parse_prompts(line)) == 1
    else:
        with pytest.raises(ValueError, match=says):
            parse_prompts(line)
