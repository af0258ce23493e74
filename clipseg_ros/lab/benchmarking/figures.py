# SPDX-License-Identifier: Apache-2.0
"""From times to figures, as plain values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clipseg_ros.lab.benchmarking.cases import NEW_PROMPTS, OURS
from clipseg_ros.lab.benchmarking.measure import Sample, ratio


def describe_case(samples: Mapping[str, Sample], *, flop: int | None, limit: float | None) -> dict[str, Any]:
    """The figures of one case.

    Parameters
    ----------
    samples : of each contender, `OURS` among them.
    flop : what `OURS` computes in a call; None where that is not counted.
    limit : floating-point operations a second that the machine reaches; None where it was not measured.

    Returns
    -------
    ms : for each contender median, quartiles and all times in milliseconds.
    ratios : for each peer, how many times as long as `OURS` it takes, by rounds.
    ratios_new_prompts : the same to `NEW_PROMPTS`, where that took part.
    gflops, share_of_limit : of `OURS`; None where they are not known.
    """
    ours, new = samples[OURS], samples.get(NEW_PROMPTS)
    peers = {name: sample for name, sample in samples.items() if name not in (OURS, NEW_PROMPTS)}
    rate = None if flop is None else flop / ours.median
    return {
        "ms": {name: _in_ms(sample) for name, sample in samples.items()},
        "ratios": {name: ratio(ours, sample) for name, sample in peers.items()},
        "ratios_new_prompts": {name: ratio(new, sample) for name, sample in peers.items()} if new else {},
        "gflops": None if rate is None else rate / 1e9,
        "share_of_limit": None if rate is None or limit is None else rate / limit,
    }


def extra_prompt(counts: Sequence[int], medians: Sequence[float]) -> float | None:
    """What a prompt more costs, as a share of the call with the fewest prompts; None for one number of prompts.

    Parameters
    ----------
    counts : ascending numbers of prompts
    medians : of a call with so many, in any unit.
    """
    if len(counts) < 2:
        return None
    return (medians[-1] - medians[0]) / (counts[-1] - counts[0]) / medians[0]


def _in_ms(sample: Sample) -> dict[str, Any]:
    return {"median": 1000 * sample.median, "quartiles": [1000 * value for value in sample.quartiles],
            "all": [1000 * value for value in sample.seconds]}
