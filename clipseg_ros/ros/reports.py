# SPDX-License-Identifier: Apache-2.0
"""Sentences for people: warnings that are said once and then only now and again, and errors on one line."""
from __future__ import annotations

import re
import time
from threading import Lock

REPEAT_AFTER = 10.0
"""Seconds until the same sentence is said again."""

LONGEST = 1000
"""Characters of a sentence that are told: some quote a message, whose texts may have any length."""

_MOST_SENTENCES = 256


class Reports:
    """Logs sentences of which a stream of messages may cause thousands; safe to use from several threads.

    Sentences that differ only in numbers count as the same one, unless they are about what a person has written.
    """

    def __init__(self, logger, *, repeat_after: float = REPEAT_AFTER, clock=time.monotonic) -> None:
        self._logger = logger
        self._repeat_after = repeat_after
        self._clock = clock
        self._said: dict[str, float] = {}
        self._lock = Lock()

    def warn(self, sentence: str, *, numbers_matter: bool = False) -> None:
        """Log a warning unless the same one was logged a moment ago."""
        sentence = in_short(sentence)
        if self._due(sentence, numbers_matter):
            self._logger.warning(sentence)

    def error(self, sentence: str) -> None:
        """Log an error unless the same one was logged a moment ago."""
        sentence = in_short(sentence)
        if self._due(sentence):
            self._logger.error(sentence)

    def _due(self, sentence: str, numbers_matter: bool = False) -> bool:
        key = sentence if numbers_matter else re.sub(r"\d+", "0", sentence)
        now = self._clock()
        with self._lock:
            if now - self._said.get(key, -self._repeat_after) < self._repeat_after:
                return False
            if len(self._said) >= _MOST_SENTENCES:
                self._said.clear()
            self._said[key] = now
        return True


def sentence_of(error: BaseException) -> str:
    """What went wrong, on one line; the kind of error too where it is none that was foreseen, or says nothing."""
    text, kind = " ".join(str(error).split()), type(error).__name__
    if not text:
        return kind
    return text if isinstance(error, (ValueError, OSError, ImportError)) else f"{kind}: {text}"


def in_short(sentence: str) -> str:
    """A sentence without its middle where it is longer than `LONGEST`, and without what moves a terminal's cursor."""
    if len(sentence) > LONGEST:
        sentence = f"{sentence[:LONGEST // 2]} ... {sentence[5 - LONGEST // 2:]}"
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in sentence)
