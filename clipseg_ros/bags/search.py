# SPDX-License-Identifier: Apache-2.0
"""What prompts find in the pictures of a recording: reading, the network and perception work at the same time."""
from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

from clipseg_ros.bags.ahead import ahead
from clipseg_ros.bags.moments import Choices, Moment
from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.prompts import ActivePrompts
from clipseg_ros.perception.findings import Findings
from clipseg_ros.perception.following import Follower
from clipseg_ros.perception.maps import Maps


class Result(NamedTuple):
    """What was found at a moment."""

    moment: Moment
    findings: Findings


def search(moments: Iterable[Moment], segmenter: Segmenter, active: ActivePrompts, *, choices: Choices, batch: int = 1,
           warn: Callable[[str], None]) -> Iterator[Result]:
    """The results of all pictures that can be read, in their order, as the node would have them.

    Parameters
    ----------
    batch : pictures that go through the network together
    warn : told, in a sentence, which cannot be read
    """
    follower = Follower(memory=choices.track_memory, births=choices.track_births, weight=choices.smoothing_weight)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
        batches = ahead(_batches(moments, batch, warn), most=1)
        begun = ahead(_begun(batches, segmenter, active, choices=choices, follower=follower, workers=workers), most=1)
        with closing(begun):
            for results in begun:
                for result, prepared in results:
                    prepared.result()
                    yield result


def _batches(moments: Iterable[Moment], batch: int, warn: Callable[[str], None]
             ) -> Generator[list[Moment], None, None]:
    """Pictures that could be decoded, so many at a time."""
    some: list[Moment] = []
    for moment in moments:
        try:
            moment.rgb
        except ValueError as error:
            warn(f"an image cannot be read: {error}")
            continue
        some.append(moment)
        if len(some) == batch:
            yield some
            some = []
    if some:
        yield some


def _begun(batches: Iterator[list[Moment]], segmenter: Segmenter, active: ActivePrompts, *, choices: Choices,
           follower: Follower, workers: ThreadPoolExecutor) -> Generator[list[tuple[Result, Future]], None, None]:
    """Results whose costly parts are being made."""
    with closing(batches):
        for some in batches:
            maps = segmenter.maps([one.rgb for one in some], active.prompts, active.thresholds, exact=False)
            results = [Result(moment, _findings(moment, found, active, choices=choices, follower=follower))
                       for moment, found in zip(some, maps, strict=True)]
            yield [(result, workers.submit(_prepare, result.findings)) for result in results]


def _findings(moment: Moment, maps: Maps, active: ActivePrompts, *, choices: Choices, follower: Follower) -> Findings:
    return Findings(moment.rgb, active.texts, maps, choices=choices, seconds=moment.seconds, look_up=moment.space,
                    move=moment.transform if choices.target_frame else None, follower=follower)


def _prepare(findings: Findings) -> None:
    """Make what does not depend on the pictures before."""
    findings.maps.mask
    findings.located
