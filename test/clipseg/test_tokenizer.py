# SPDX-License-Identifier: Apache-2.0
"""CLIP's tokens, and the renumbering for a closed vocabulary."""

import time

import numpy as np
import pytest
from open_clip.tokenizer import SimpleTokenizer

from clipseg_ros.clipseg import tokenizer as module
from clipseg_ros.clipseg.tokenizer import END_ID, PADDING, START_ID, UNKNOWN, Tokenizer
from clipseg_ros.lab.benchmarking.hugging_face import make_tokenizer

PROMPTS = [
    "mug",
    "a photo of a mug.",
    "The RED  cup",
    "something to sit on",
    "chef's knife, that's sharp",
    "we'll they've I'm he'd you're isn't",
    "12 bottles & 3 cans",
    "coffee-mug/spoon (stainless)",
    "crème brûlée",
    "übergroße Tasse",
    "тарелка",
    "茶碗",
    "🍌 banana",
    "antidisestablishmentarianism",
    "\ttab and\nnewline ",
    "word " * 75,
]


@pytest.fixture(scope="module")
def reference():
    return make_tokenizer(pytest.importorskip("transformers"))


@pytest.mark.parametrize("text", PROMPTS, ids=lambda text: text.strip()[:20])
def test_equals_transformers(reference, text):
    expected = reference([text])["input_ids"][0]
    row = Tokenizer()([text])[0].tolist()
    assert row[: len(expected)] == expected
    assert set(row[len(expected):]) <= {PADDING}


def test_equals_open_clip():
    assert Tokenizer()(PROMPTS).equal(SimpleTokenizer()(PROMPTS))


def test_spelling_the_end_token_does_not_end_the_text():
    row = Tokenizer()(["mug <end_of_text> spoon <start_of_text>"])[0]
    assert (row == END_ID).sum() == 1
    assert (row == START_ID).sum() == 1


def test_shape_of_no_text():
    assert Tokenizer()([]).shape == (0, 77)


@pytest.mark.parametrize(
    "text, sentence", [("word " * 76, "has 76 tokens; .* at most 75"), ("  ", "no words"), ("&nbsp;\n", "no words"),
                      ("x" * 1000, "has 250 tokens"), ("x" * 1001, "'x{57}...' has 1001 characters; at most 1000")]
)
def test_refuses_text(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        Tokenizer()([text])


@pytest.mark.parametrize("text", ["x" * 16384, "🍌" * 16384, "ab c" * 4096])
def test_a_long_text_is_refused_before_any_work(text, monkeypatch):
    def worked(*_):
        raise AssertionError("a text that is too long was read")

    monkeypatch.setattr(module, "_clip_bpe", worked)
    for ask in (lambda: Tokenizer()([text]), lambda: Tokenizer(token_ids=[START_ID, END_ID]).unknown_words(text)):
        started = time.perf_counter()
        with pytest.raises(ValueError, match=f"has {len(text)} characters; at most 1000 are taken"):
            ask()
        assert time.perf_counter() - started < 0.1


def test_new_words_leave_no_trace_beyond_the_bounded_cache():
    tokenizer, bpe = Tokenizer(), module._clip_bpe()
    tokenizer(["mug"])
    before = dict(bpe.cache)
    for number in range(300):
        tokenizer([" ".join(f"{chr(97 + number % 26)}{chr(97 + number // 26)}{chr(97 + word)}q" for word in range(20))])
    assert bpe.cache == before
    assert module._pieces.cache_info().maxsize is not None


def test_a_word_in_the_cache_has_the_same_tokens():
    row = Tokenizer()(["unforeseen words"])
    module._pieces.cache_clear()
    assert Tokenizer()(["unforeseen words"]).equal(row) and Tokenizer()(["unforeseen words"]).equal(row)


@pytest.mark.parametrize("texts", ["mug", [None], [3]])
def test_refuses_type(texts):
    with pytest.raises(ValueError):
        Tokenizer()(texts)


def _ids_of(words):
    rows = SimpleTokenizer()(words)
    return sorted(set(rows[rows > 0].tolist()))


def test_closed_vocabulary_renumbers_in_order():
    known = _ids_of(["red mug"])
    tokenizer = Tokenizer(8, known[::-1])
    row = tokenizer(["red spoon mug"])[0].numpy()
    red, mug = (known.index(_ids_of([word])[0]) + 2 for word in ("red", "mug"))
    start, end = len(known), len(known) + 1
    np.testing.assert_array_equal(row, [start, red, UNKNOWN, mug, end, PADDING, PADDING, PADDING])
    assert row.argmax() == 4


def test_unknown_words():
    tokenizer = Tokenizer(token_ids=_ids_of(["the red mug"]))
    assert tokenizer.unknown_words("The RED teapot, the teapot") == ("teapot", ",")
    assert tokenizer.unknown_words("the red mug") == ()
    assert Tokenizer().unknown_words("teapot") == ()


@pytest.mark.parametrize(
    "token_ids",
    [[], [1, 2], [START_ID], [END_ID, 5], [5, 5, START_ID, END_ID], [-1, START_ID, END_ID], [START_ID, END_ID, 99999]],
)
def test_refuses_vocabulary(token_ids):
    with pytest.raises(ValueError, match="token_ids"):
        Tokenizer(token_ids=token_ids)


def test_refuses_context():
    with pytest.raises(ValueError, match="context_length is 2"):
        Tokenizer(2)
