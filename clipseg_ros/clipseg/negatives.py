# SPDX-License-Identifier: Apache-2.0
"""What is not meant: a prompt with negatives counts only where it beats each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from clipseg_ros.clipseg.prompts import Prompt


def with_negatives(prompts: Sequence[Prompt]) -> list[Prompt]:
    """The prompts, and behind them, once each, those of their negatives that are not among them."""
    known = {prompt.key for prompt in prompts}
    negatives = {negative.key: negative for prompt in prompts for negative in prompt.unlike}
    return [*prompts, *(negative for key, negative in negatives.items() if key not in known)]


def contrasted(logits: Tensor, prompts: Sequence[Prompt]) -> Tensor:
    """Logits (B, P, h, w) of P prompts, minus infinity where one of a prompt's negatives has a higher one.

    logits : (B, N, h, w) of `with_negatives(prompts)`. It is returned as it is where no prompt has negatives.
    """
    if not any(prompt.unlike for prompt in prompts):
        return logits
    rows = {prompt.key: row for row, prompt in enumerate(with_negatives(prompts))}
    kept = logits[:, :len(prompts)].clone()
    for row, prompt in enumerate(prompts):
        if prompt.unlike:
            rivals = logits[:, [rows[negative.key] for negative in prompt.unlike]].amax(dim=1)
            kept[:, row].masked_fill_(rivals > logits[:, row], -math.inf)
    return kept
