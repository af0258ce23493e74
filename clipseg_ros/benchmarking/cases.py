# SPDX-License-Identifier: Apache-2.0
"""What takes turns: this package and its peers, on a new image, and with a new prompt on an image seen before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from clipseg_ros.benchmarking.inputs import new_images, new_phrases, phrases
from clipseg_ros.benchmarking.measure import Contender
from clipseg_ros.benchmarking.peers import Peer
from clipseg_ros.clipseg.segmenter import Segmenter

OURS = "clipseg_ros"
NEW_PROMPTS = "clipseg_ros, new prompts"
"""Names of the contenders that are this package; the others have their peer's."""


def new_image(
    ours: Segmenter, peers: Sequence[Peer], *, prompts: int, size: tuple[int, int]
) -> list[Contender]:
    """Every call gets an image that nobody has seen. Prompts are the same ones throughout; for `NEW_PROMPTS` they are
    new as well."""
    images, texts, kept = new_images(size, seed=prompts), new_phrases(), phrases(prompts)

    def segment(given: tuple[np.ndarray, list[str]]) -> np.ndarray:
        return ours.segment(*given)

    return [
        Contender(OURS, lambda: (next(images), kept), segment),
        Contender(NEW_PROMPTS, lambda: (next(images), [next(texts) for _ in kept]), segment),
        *_contenders(peers, images, lambda: kept),
    ]


def new_prompt(ours: Segmenter, peers: Sequence[Peer], *, size: tuple[int, int]) -> list[Contender]:
    """Every call asks a new prompt. This package has seen the image with another prompt; the peers start over."""
    images, texts = new_images(size), new_phrases()

    def look() -> tuple[np.ndarray, list[str]]:
        image = next(images)
        ours.segment(image, phrases(1))
        return image, [next(texts)]

    return [Contender(OURS, look, lambda given: ours.segment(*given)),
            *_contenders(peers, images, lambda: [next(texts)])]


def _contenders(
    peers: Sequence[Peer], images: Iterator[np.ndarray], texts: Callable[[], list[str]]
) -> list[Contender]:
    return [Contender(peer.name, lambda: (next(images), texts()), lambda given, peer=peer: peer.segment(*given))
            for peer in peers]
