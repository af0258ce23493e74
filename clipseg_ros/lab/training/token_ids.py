# SPDX-License-Identifier: Apache-2.0
"""The closed vocabulary of a network that is trained on the simulated home."""

from __future__ import annotations

from typing import Iterable

from clipseg_ros.clipseg.tokenizer import END_ID, START_ID, Tokenizer
from clipseg_ros.lab.training.scene_prompts import home_texts


def known_token_ids(texts: Iterable[str]) -> tuple[int, ...]:
    """Ids, ascending, of CLIP's byte pairs in `texts`, with the start and end tokens."""
    tokenizer = Tokenizer()
    known = {START_ID, END_ID}
    for text in texts:
        row = tokenizer([text])[0].tolist()
        known.update(row[1 : row.index(END_ID)])
    return tuple(sorted(known))


def home_token_ids() -> tuple[int, ...]:
    """Ids of every phrase of the simulated home."""
    return known_token_ids(home_texts())
