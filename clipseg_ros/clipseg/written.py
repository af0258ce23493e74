# SPDX-License-Identifier: Apache-2.0
"""The prompts that people write: `mug=0.4; something to sit on; @my_cup; cup !bowl !dinner plate`."""
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SEPARATOR = ";"
MAX_PROMPTS = 64
"""Prompts of one frame, their negatives included; each costs memory for a probability image."""

LONGEST_LINES = 100_000
"""Characters that all prompts have together; as many of the longest texts that the network takes have fewer."""

_UNREADABLE = "\ufffd"
"""What rclpy puts where the bytes of a string are no UTF-8."""

_PLAIN = str.maketrans({"；": ";", "＝": "=", "！": "!", **dict.fromkeys("\u200b\u2060\ufeff")})
"""What people's keyboards and editors put in unasked."""

_NEGATIVE = re.compile(r"(?:^|(?<=\s))!\s*")
"""Behind whitespace, at which it only looks back: to try a run of spaces from each of its places would take hours.

The `!` of a word, "hey! cup", is a letter like others.
"""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class PromptText:
    """One prompt as written: a text or `@name`, maybe with what it is not, ` !text` or ` !@name` each, and its own
    threshold in (0, 1) or None for the node's.
    """

    text: str
    threshold: float | None = None

    @property
    def written(self) -> str:
        """The prompt as `parse_prompts` reads it."""
        return self.text if self.threshold is None else f"{self.text}={self.threshold!r}"

    @property
    def parts(self) -> tuple[str, ...]:
        """What is meant, then each thing that is not: texts or `@names`."""
        return tuple(part.strip() for part in _NEGATIVE.split(self.text))

    @property
    def visual_names(self) -> tuple[str, ...]:
        """The names of the visual prompts that its `@names` stand for."""
        return tuple(part[1:] for part in self.parts if part.startswith("@"))


def parse_prompts(*lines: str) -> tuple[PromptText, ...]:
    """The prompts of one or more lines, each separated by `;`; a line without any word has none.

    One syntax wherever prompts are taken: on the topic, in the parameter, in requests and on the command line.
    Full-width `；`, `＝` and `！` are taken for plain ones, and characters that nobody sees (zero-width spaces, byte-order
    marks) are left out.

    Raises
    ------
    ValueError
        If a threshold is no number between 0 and 1, a prompt or a negative has no words, a name has letters that names
        cannot have, a prompt is there twice, something is meant and not meant, or not meant twice, or there are more
        than `MAX_PROMPTS` or `LONGEST_LINES`.
    """
    length = sum(map(len, lines))
    if length > LONGEST_LINES:  # a megabyte takes longer to read than anybody waits
        raise ValueError(f"the prompts have {length} characters; at most {LONGEST_LINES} are taken")
    parts = [part for line in lines for part in line.translate(_PLAIN).split(SEPARATOR) if part.strip()]
    _check_count(len(parts), 0)  # before each is looked at
    return as_unique(map(parse_prompt, parts))


def parse_given(texts: Sequence[str]) -> tuple[PromptText, ...]:
    """As `parse_prompts`, of texts each of which somebody has asked for: one without words is refused, not left out."""
    if not all(text.strip() for text in texts):
        raise ValueError("a prompt has no words; write something to look for")
    return parse_prompts(*texts)


def parse_prompt(part: str) -> PromptText:
    """One prompt with its negatives and an optional `=threshold`. ValueError as `parse_prompts`."""
    early = next((one for one in _NEGATIVE.split(part)[:-1] if "=" in one and _is_number(one.rpartition("=")[2])), None)
    if early is not None:
        raise ValueError(f"the threshold of the prompt {part.strip()[:40]!r} is in front of a negative; write it at "
                         "the end, as in 'mug !bowl=0.4'")
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
    negatives = {part for prompt in prompts for part in prompt.parts[1:]} - {prompt.parts[0] for prompt in prompts}
    _check_count(len(prompts), len(negatives))
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


def _check_count(prompts: int, negatives: int) -> None:
    if prompts + negatives > MAX_PROMPTS:
        beside = f" and {negatives} negatives" if negatives else ""
        raise ValueError(f"there are {prompts} prompts{beside}; at most {MAX_PROMPTS} can be looked for at once")


def _checked(text: str, threshold: float | None) -> PromptText:
    if not text:
        raise ValueError("a prompt has no words; write something to look for")
    if _UNREADABLE in text:
        raise ValueError(f"the prompt {text[:40]!r} has bytes that are no UTF-8 text; it must be plain UTF-8")
    parts = PromptText(text).parts
    _check_count(1, len(parts) - 1)
    _check_negatives(text, *parts)
    prompt = PromptText(" !".join(parts), threshold)
    for name in prompt.visual_names:
        check_name(name)
    return prompt


def _check_negatives(text: str, meant: str, *unlike: str) -> None:
    if not meant:
        raise ValueError(f"the prompt {text[:40]!r} says only what is not meant; write what is meant in front of it, "
                         "as in 'mug !bowl'")
    if any(not part or part.startswith("!") for part in unlike):
        raise ValueError(f"the prompt {text[:40]!r} has a '!' without a word behind it; write what is not meant, as in "
                         "'mug !bowl', or leave the '!' out")
    if meant in unlike:
        raise ValueError(f"the prompt {text[:40]!r} is its own negative; only other things can be")
    twice = next((part for index, part in enumerate(unlike) if part in unlike[:index]), None)
    if twice is not None:
        raise ValueError(f"the prompt {text[:40]!r} has the negative {twice[:40]!r} twice; once is enough")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
