# SPDX-License-Identifier: Apache-2.0
"""CLIP's byte-pair tokenizer, with an optional closed vocabulary for small networks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import regex
import torch
from open_clip.tokenizer import SimpleTokenizer

from clipseg_ros.clipseg.prompts import LONGEST_TEXT

START_ID = 49406
"""BPE id of CLIP's start-of-text token."""

END_ID = 49407
"""BPE id of CLIP's end-of-text token, the largest of all, so that arg-max finds it."""

PADDING = 0
UNKNOWN = 1
_RESERVED = 2

# CLIP's split of a text into words. CLIP's own expression also lets a text spell the start and end tokens;
# a prompt is data, so here those strings are ordinary characters.
_WORD = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+", regex.IGNORECASE)


@lru_cache(maxsize=1)
def _clip_bpe() -> SimpleTokenizer:
    """CLIP's merges, read once per process (about 0.1 s)."""
    return SimpleTokenizer()


class Tokenizer:
    """Texts to the token ids of CLIP's text encoder.

    Texts are cleaned as CLIP's were in training: garbled encodings and HTML entities repaired, white space collapsed,
    lower case.

    Parameters
    ----------
    context_length:
        Tokens per text, start and end token included.
    token_ids:
        None for all of CLIP's vocabulary. Otherwise the BPE ids that the network knows; they are renumbered from 2 in
        ascending order, 0 is padding and 1 stands for every other id. Must hold `START_ID` and `END_ID`, which are the
        two largest, so the end token keeps the largest id and arg-max pooling keeps working.
    """

    def __init__(self, context_length: int = 77, token_ids: Sequence[int] | None = None) -> None:
        if context_length < 3:
            raise ValueError(f"context_length is {context_length}; at least 3 are needed (start, one word, end)")
        self.context_length = context_length
        self._new_ids = None if token_ids is None else _renumber(token_ids)

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Token ids of `texts`: (P, context_length) int64, zero after the end token.

        Raises ValueError for a text without any token, with more than `context_length`, or longer than `LONGEST_TEXT`.
        """
        if isinstance(texts, str):
            raise ValueError(f"texts is the single string {_shorten(texts)}; a list of strings is needed")
        rows = torch.full((len(texts), self.context_length), PADDING, dtype=torch.int64)
        for row, text in zip(rows, texts):
            ids = self._encode(text)
            row[: len(ids)] = torch.tensor(ids, dtype=torch.int64)
        return rows

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words of `text`, lower-cased and in order, of which the network knows some piece not at all.

        Empty for an open vocabulary. Raises ValueError for a text longer than `LONGEST_TEXT`.
        """
        if self._new_ids is None:
            return ()
        unknown = (word for word in _words(text) if any(piece not in self._new_ids for piece in _pieces(word)))
        return tuple(dict.fromkeys(unknown))

    def _encode(self, text: str) -> list[int]:
        pieces = [piece for word in _words(text) for piece in _pieces(word)]
        room = self.context_length - 2
        if not pieces:
            raise ValueError(f"the text {_shorten(text)} has no words; a prompt needs at least one")
        if len(pieces) > room:
            raise ValueError(
                f"the text {_shorten(text)} has {len(pieces)} tokens; the network's context takes at most {room}"
            )
        ids = [START_ID, *pieces, END_ID]
        return ids if self._new_ids is None else [self._new_ids.get(i, UNKNOWN) for i in ids]


def _renumber(token_ids: Sequence[int]) -> dict[int, int]:
    known = sorted({int(i) for i in token_ids})
    if len(known) != len(token_ids):
        raise ValueError("token_ids holds an id twice; each known BPE id may appear once")
    if not known or known[0] < 0 or known[-2:] != [START_ID, END_ID]:
        raise ValueError(
            f"token_ids must be BPE ids from 0 to {END_ID}, the start and end tokens {START_ID} and {END_ID} among them"
        )
    return {bpe_id: new_id for new_id, bpe_id in enumerate(known, start=_RESERVED)}


def _words(text: str) -> list[str]:
    if not isinstance(text, str):
        raise ValueError(f"a text prompt is a {type(text).__name__}; a str is needed")
    if len(text) > LONGEST_TEXT:  # before any work: merging a word of 16 kB takes many seconds
        raise ValueError(f"the text {_shorten(text)} has {len(text)} characters; at most {LONGEST_TEXT} are taken")
    return _WORD.findall(_clip_bpe().clean_fn(text))


@lru_cache(maxsize=65536)
def _pieces(word: str) -> tuple[int, ...]:
    bpe = _clip_bpe()
    symbols = "".join(bpe.byte_encoder[byte] for byte in word.encode("utf-8"))
    pieces = bpe.bpe(symbols).split(" ")
    bpe.cache.pop(symbols, None)  # open_clip keeps every word for good; the cache of this function is bounded
    return tuple(bpe.encoder[piece] for piece in pieces)


def _shorten(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")
