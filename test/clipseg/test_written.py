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
    ("", []),
    (" ; ;", []),
])
def test_a_line_of_prompts(line, prompts):
    assert parse_prompts(line) == tuple(PromptText(*prompt) for prompt in prompts)


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
])
def test_a_faulty_line_is_refused_with_a_sentence(line, says):
    with pytest.raises(ValueError, match=says):
        parse_prompts(line)


@pytest.mark.parametrize("name", ["", "a b", "ä", "@x", "x" * 65, "a/b", "a\n"])
def test_names_that_cannot_be_used(name):
    with pytest.raises(ValueError, match="cannot be used"):
        check_name(name)


def test_the_name_behind_an_at_sign():
    assert PromptText("@cup").visual_name == "cup"
    assert PromptText("cup").visual_name is None
