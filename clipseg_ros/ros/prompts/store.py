# SPDX-License-Identifier: Apache-2.0
"""The prompts that the node looks for now, and the named visual prompts."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from clipseg_ros.clipseg import Prompt
from clipseg_ros.clipseg.prompts import ActivePrompts
from clipseg_ros.clipseg.written import PromptText, check_name, check_threshold, parse_given

if TYPE_CHECKING:
    from clipseg_ros.clipseg import Segmenter

MAX_VISUAL_PROMPTS = 64


class PromptStore:
    """Prompts and visual prompts, replaced as a whole or not at all; safe to use from several threads.

    Attributes
    ----------
    active : the prompts to look for now, worked out when they were set
    missing : texts of those that wait for an `@name` that nobody has set yet
    """

    def __init__(self, threshold: float) -> None:
        self._lock = Lock()
        self._threshold = threshold
        self._written: tuple[PromptText, ...] = ()
        self._visual: dict[str, Prompt] = {}
        self.active = ActivePrompts()
        self.missing: tuple[str, ...] = ()

    @property
    def threshold(self) -> float:
        """For the prompts without one of their own."""
        return self._threshold

    @threshold.setter
    def threshold(self, threshold: float) -> None:
        with self._lock:
            self._threshold = threshold
            self._settle()

    def check(self, prompts: tuple[PromptText, ...], segmenter: Segmenter | None) -> None:
        """Raise ValueError if one of the prompts cannot be looked for.

        Without a segmenter only `@names`, control characters and empty texts are checked.
        """
        resolved = self.resolve(prompts)
        if segmenter is not None:
            segmenter.check(resolved.prompts)

    def replace(self, prompts: tuple[PromptText, ...], segmenter: Segmenter | None) -> bool:
        """Look for these prompts from now on; return whether that changes anything.

        Raises
        ------
        ValueError
            As `check`; the earlier prompts then stay.
        """
        self.check(prompts, segmenter)
        return self._write(prompts)

    def await_names(self, prompts: tuple[PromptText, ...], segmenter: Segmenter) -> None:
        """As `replace`, but an `@name` that is unknown is waited for: `set_visual` makes it a prompt."""
        with self._lock:
            known = self._known(prompts)
        self.check(known, segmenter)
        self._write(prompts)

    def resolve(self, prompts: Iterable[PromptText], *, threshold: float | None = None) -> ActivePrompts:
        """Prompts as the network takes them; `threshold` is for those without one, the store's if it is None.

        Raises
        ------
        ValueError
            If an `@name` is unknown or a text holds control characters.
        """
        with self._lock:
            return self._resolve(tuple(prompts), self._threshold if threshold is None else threshold)

    def asked_for(self, texts: Sequence[str], threshold: float, visual: Prompt | None = None) -> ActivePrompts:
        """What a request asks for: its texts, its picture behind them; where it has neither, what the node looks for.

        `threshold` is that of the prompts without one of their own; 0 stands for the store's.

        Raises
        ------
        ValueError
            If there is nothing to look for, or as `check_threshold`, `parse_given` and `resolve`.
        """
        if threshold:
            check_threshold(threshold)
        threshold = threshold or self._threshold
        asked = self.resolve(parse_given(texts), threshold=threshold)
        if visual is not None:
            asked = ActivePrompts((*asked.texts, visual.label), (*asked.prompts, visual),
                                  (*asked.thresholds, threshold))
        if not asked.prompts:
            with self._lock:
                asked = self._resolve(self._known(self._written), threshold)
        if not asked.prompts:
            raise ValueError("nothing to look for: the request has no prompt and the node has none either")
        return asked

    def set_visual(self, name: str, prompt: Prompt) -> bool:
        """Let `@name` stand for `prompt` from now on; return whether it was waited for.

        Raises
        ------
        ValueError
            If the name cannot be used or there are `MAX_VISUAL_PROMPTS` others already.
        """
        check_name(name)
        with self._lock:
            if name not in self._visual and len(self._visual) >= MAX_VISUAL_PROMPTS:
                raise ValueError(f"there are {MAX_VISUAL_PROMPTS} visual prompts already; give this one the name of "
                                 f"another to replace it: {', '.join(sorted(self._visual))}")
            awaited = name not in self._visual and any(name in prompt.visual_names for prompt in self._written)
            self._visual[name] = prompt
            self._settle()
        return awaited

    def _write(self, prompts: tuple[PromptText, ...]) -> bool:
        with self._lock:
            changed = prompts != self._written
            self._written = prompts
            self._settle()
        return changed

    def _settle(self) -> None:
        known = self._known(self._written)
        self.missing = tuple(prompt.text for prompt in self._written if prompt not in known)
        self.active = self._resolve(known, self._threshold)

    def _known(self, prompts: tuple[PromptText, ...]) -> tuple[PromptText, ...]:
        """Those whose `@names`, of negatives too, stand for something."""
        return tuple(prompt for prompt in prompts if self._visual.keys() >= set(prompt.visual_names))

    def _resolve(self, prompts: tuple[PromptText, ...], threshold: float) -> ActivePrompts:
        return ActivePrompts(
            tuple(prompt.text for prompt in prompts), tuple(self._prompt(prompt) for prompt in prompts),
            tuple(threshold if prompt.threshold is None else prompt.threshold for prompt in prompts))

    def _prompt(self, prompt: PromptText) -> Prompt:
        meant, *unlike = map(self._part, prompt.parts)
        return replace(meant, unlike=unlike) if unlike else meant

    def _part(self, part: str) -> Prompt:
        if not part.startswith("@"):
            return Prompt(part)
        if part[1:] not in self._visual:
            known = ", ".join("@" + other for other in sorted(self._visual)) or "none yet"
            raise ValueError(f"there is no visual prompt {part}; set_visual_prompt makes one (known: {known})")
        return self._visual[part[1:]]
