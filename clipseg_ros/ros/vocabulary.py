# SPDX-License-Identifier: Apache-2.0
"""What to tell people about words that the network has never seen."""
from __future__ import annotations

from collections.abc import Iterable

from clipseg_ros.clipseg import Prompt, Segmenter


def unknown_words_note(segmenter: Segmenter, prompts: Iterable[Prompt]) -> str:
    """A sentence that names the prompts' words that the weights do not know; empty if they know all."""
    words = list(dict.fromkeys(word for prompt in prompts for word in segmenter.unknown_words(prompt)))
    if not words:
        return ""
    return (f"the weights {segmenter.name!r} do not know {', '.join(repr(word) for word in words)}; "
            "what they find for it means little")
