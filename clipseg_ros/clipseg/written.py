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

_PLAIN = str.maketrans({"；": ";", "＝": "=", **dict.fromkeys("\u200b\u2060\ufeff")})
"""What people's keyboards and editors put in unasked."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class PromptText:
    """One prompt as written: a text or `@name`, and its own threshold in (0, 1) or None for the node's."""

    text: str
    threshold: float | None = None

    @property
    def written(self) -> str:
        """The prompt as `parse_prompts` reads it."""
        return self.text if self.threshold is None else f"{self.text}={self.threshold!r}"

    @property
    def visual_name(self) -> str | None:
        """The name of the visual prompt that `@name` stands for; None for a text."""
        return self.text[1:] if self.text.startswith("@") else None


def parse_prompts(*lines: str) -> tuple[PromptText, ...]:
    """The prompts of one or more lines, each separated by `;`; a line without any word has none.

    One syntax wherever prompts are taken: on the topic, in the parameter, in requests and on the command line.
    Full-width `；` and `＝` are taken for plain ones, and characters that nobody sees (zero-width spaces, byte-order marks)
    are left out.

    Raises
    ------
    ValueError
        If a threshold is no number between 0 and 1, a prompt has no words, a name has letters that names cannot
        have, or a prompt is there twice.
    """
    parts = (part for line in lines for part in line.translate(_PLAIN).split(SEPARATOR))
    return as_unique(parse_prompt(part) for part in parts if part.strip())


def parse_given(texts: Sequence[str]) -> tuple[PromptText, ...]:
    """As `parse_prompts`, of texts each of which somebody has asked for: one without words is refused, not left out."""
    if not all(text.strip() for text in texts):
        raise ValueError("a prompt has no words; write something to look for")
    return parse_prompts(*texts)


def parse_prompt(part: str) -> PromptText:
    """One prompt with an optional `=threshold`. ValueError as `parse_prompts`."""
    text, equals, number = part.rpartition("=")
    if not equals:
        return _checked(part.strip(), None)
    if _is_number(text.rpartition("=")[2]) and "=" in text:
        raise ValueError(f"the prompt {part.strip()[:40]!r} has two thresholds; write one, as in 'mug=0.4'")
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


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
