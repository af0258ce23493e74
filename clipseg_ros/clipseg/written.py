# SPDX-License-Identifier: Apache-2.0
"""The prompts that people write: `mug=0.4; something to sit on; @my_cup`."""
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SEPARATOR = ";"
MAX_PROMPTS = 64
"""Prompts of one frame; each costs memory for a probability image."""

_UNREADABLE = "\ufffd"
"""What rclpy puts where the bytes of a string are no UTF-8."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class PromptText:
    """One prompt as written: a text or `@name`, and its own threshold in (0, 1) or None for the node's."""

    text: str
    threshold: float | None = None

    @property
    def visual_name(self) -> str | None:
        """The name of the visual prompt that `@name` stands for; None for a text."""
        return self.text[1:] if self.text.startswith("@") else None


def parse_prompts(line: str) -> tuple[PromptText, ...]:
    """The prompts of a line, separated by `;`; a line without any word has none.

    Raises
    ------
    ValueError
        If a threshold is no number between 0 and 1, a prompt has no words, a name has letters that names cannot
        have, or a prompt is there twice.
    """
    return as_unique(parse_prompt(part) for part in line.split(SEPARATOR) if part.strip())


def parse_list(texts: Sequence[str]) -> tuple[PromptText, ...]:
    """The prompts of a list of texts, empty ones left out. ValueError as `parse_prompts`."""
    return as_unique(parse_prompt(text) for text in texts if text.strip())


def parse_prompt(part: str) -> PromptText:
    """One prompt with an optional `=threshold`. ValueError as `parse_prompts`."""
    text, equals, number = part.rpartition("=")
    if not equals:
        return _checked(part.strip(), None)
    try:
        threshold = float(number)
    except ValueError:
        raise ValueError(f"the threshold {number.strip()[:40]!r} of the prompt {text.strip()[:40]!r} is not a number; "
                         "write it as in 'mug=0.4'") from None
    check_threshold(threshold, f"the threshold of the prompt {text.strip()[:40]!r}")
    return _checked(text.strip(), threshold)


def as_unique(prompts: Iterable[PromptText]) -> tuple[PromptText, ...]:
    """The prompts as a tuple. ValueError if one is there twice or there are more than `MAX_PROMPTS`."""
    prompts = tuple(prompts)
    texts = [prompt.text for prompt in prompts]
    twice = next((text for index, text in enumerate(texts) if text in texts[:index]), None)
    if twice is not None:
        raise ValueError(f"the prompt {twice[:40]!r} is there twice; each prompt can be there once")
    if len(prompts) > MAX_PROMPTS:
        raise ValueError(f"there are {len(prompts)} prompts; at most {MAX_PROMPTS} can be looked for at once")
    return prompts


def check_threshold(threshold: float, what: str = "the threshold") -> None:
    """Raise ValueError unless the number lies between 0 and 1, both excluded."""
    if not 0 < threshold < 1:
        raise ValueError(f"{what} is {threshold:g}; it must be greater than 0 and less than 1")


def check_name(name: str) -> None:
    """Raise ValueError unless `name` can stand behind an `@`."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"the name {name[:64]!r} of the visual prompt cannot be used; it must be 1 to 64 letters, "
                         "digits, '_' or '-', without '@'")


def _checked(text: str, threshold: float | None) -> PromptText:
    if not text:
        raise ValueError("a prompt has no words; write something to look for")
    if _UNREADABLE in text:
        raise ValueError(f"the prompt {text[:40]!r} has bytes that are no UTF-8 text; it must be plain UTF-8")
    prompt = PromptText(text, threshold)
    if prompt.visual_name is not None:
        check_name(prompt.visual_name)
    return prompt
