# SPDX-License-Identifier: Apache-2.0
"""The prompts on the page: those that are looked for, and those that are switched off but not forgotten."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clipseg_ros.clipseg.written import MAX_PROMPTS, PromptText, check_threshold

_ECHO = 3.0
"""Seconds within which a source repeats what it was told."""


@dataclass(frozen=True)
class Entry:
    """A prompt of the page.

    Attributes
    ----------
    threshold : its own, or None for the source's
    effective : the one that counts, as far as the source has told it
    colour : number of its colour, which stays while prompts around it come and go
    on : whether it is looked for
    """

    text: str
    threshold: float | None = None
    effective: float = 0.5
    colour: int = 0
    on: bool = True


class PromptList:
    """Entries in the order in which they were added. For one thread.

    A source says what it looks for whenever that changes: after this list was sent to it, and when somebody else
    changed it. The former only confirms; the latter switches entries on and off, so that the page tells the truth.
    """

    def __init__(self) -> None:
        self.entries: tuple[Entry, ...] = ()
        self._sent: deque[tuple[float, tuple[str, ...]]] = deque(maxlen=64)

    @property
    def wanted(self) -> tuple[PromptText, ...]:
        """What the source is to look for."""
        return tuple(PromptText(one.text, one.threshold) for one in self.entries if one.on)

    def add(self, prompts: Sequence[PromptText]) -> None:
        """Add prompts, or switch those on that are there; a threshold that is given with them counts."""
        for prompt in prompts:
            old = self._find(prompt.text)
            if old is None:
                self._append(prompt.text, prompt.threshold, prompt.threshold or self._usual())
            else:
                self._put(replace(old, on=True, threshold=prompt.threshold or old.threshold,
                                  effective=prompt.threshold or old.effective))

    def switch(self, text: str, on: bool) -> None:
        """Look for a prompt or not. ValueError for one that is not there."""
        self._put(replace(self._known(text), on=on))

    def set_threshold(self, text: str, threshold: float | None) -> None:
        """Give a prompt its own threshold, or the source's. ValueError where it is not between 0 and 1."""
        entry = self._known(text)
        if threshold is not None:
            check_threshold(threshold)
        self._put(replace(entry, threshold=threshold, effective=threshold or self._usual()))

    def remove(self, text: str) -> None:
        """Forget a prompt. ValueError for one that is not there."""
        entry = self._known(text)
        self.entries = tuple(one for one in self.entries if one is not entry)

    def sent(self) -> None:
        """What is wanted now is on its way to the source."""
        self._sent.append((time.monotonic(), tuple(one.text for one in self.wanted)))

    def adopt(self, texts: Sequence[str], thresholds: Sequence[float]) -> None:
        """The source says that it looks for these now."""
        told = {text: round(threshold, 4) for text, threshold in zip(texts, thresholds)}
        if not self._is_echo(tuple(texts)):
            for text in told:
                if self._find(text) is None:
                    self._append(text, told[text], told[text])
            self.entries = tuple(replace(one, on=False) if one.text not in told else
                                 replace(one, on=True) if one.effective == told[one.text] else
                                 replace(one, on=True, threshold=told[one.text]) for one in self.entries)
        # A threshold that is on its way to the source is newer than what the source says.
        self.entries = tuple(replace(one, effective=told[one.text])
                             if one.text in told and one.threshold in (None, told[one.text]) else one
                             for one in self.entries)

    def _is_echo(self, texts: tuple[str, ...]) -> bool:
        """Whether the source repeats something that it was told a moment ago."""
        return any(texts == sent and time.monotonic() - at < _ECHO for at, sent in self._sent)

    def _usual(self) -> float:
        """The source's own threshold, as prompts without one of their own show it."""
        return next((one.effective for one in self.entries if one.threshold is None), 0.5)

    def _find(self, text: str) -> Entry | None:
        return next((one for one in self.entries if one.text == text), None)

    def _known(self, text: str) -> Entry:
        entry = self._find(text)
        if entry is None:
            raise ValueError(f"there is no prompt {text[:40]!r} on the page any more")
        return entry

    def _put(self, entry: Entry) -> None:
        self.entries = tuple(entry if one.text == entry.text else one for one in self.entries)

    def _append(self, text: str, threshold: float | None, effective: float) -> None:
        if len(self.entries) >= MAX_PROMPTS:
            idle = next((one for one in self.entries if not one.on), None)
            if idle is None:
                raise ValueError(f"there are {MAX_PROMPTS} prompts already; remove one first")
            self.remove(idle.text)
        taken = {one.colour for one in self.entries}
        colour = next(number for number in range(MAX_PROMPTS + 1) if number not in taken)
        self.entries = (*self.entries, Entry(text, threshold, effective, colour))
