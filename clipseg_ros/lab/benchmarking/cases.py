# SPDX-License-Identifier: Apache-2.0
"""What takes turns: this package and its peers on new images, new prompts on images seen before, scenes at rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from clipseg_ros.clipseg.segmenter import Segmenter
from clipseg_ros.lab.benchmarking.inputs import new_images, new_phrases, phrases, pictures
from clipseg_ros.lab.benchmarking.measure import Contender
from clipseg_ros.lab.benchmarking.peers import Peer

OURS = "clipseg_ros"
NEW_PROMPTS = "clipseg_ros, new prompts"
REUSING = "clipseg_ros, reuse_features"
"""Names of the contenders that are this package; the others have their peer's."""

NOISE = 2
"""Levels by which the images of an unchanged scene differ."""


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


def unchanged_scene(ours: Segmenter, reusing: Segmenter, *, size: tuple[int, int]) -> list[Contender]:
    """Every call gets the same scene with other noise: encoded anew, and with the features of an earlier image.

    Parameters
    ----------
    reusing : the same network with a `clipseg.unchanged.UnchangedScene` that lets no feature grow too old meanwhile.
    """
    scene, rng, kept = pictures(size)[0], np.random.default_rng(0), phrases(1)

    def look() -> np.ndarray:
        return cv2.add(scene, rng.integers(0, NOISE + 1, scene.shape, dtype=np.uint8))

    reusing.segment(look(), kept)
    return [Contender(OURS, look, lambda image: ours.segment(image, kept)),
            Contender(REUSING, look, lambda image: reusing.segment(image, kept))]


def _contenders(
    peers: Sequence[Peer], images: Iterator[np.ndarray], texts: Callable[[], list[str]]
) -> list[Contender]:
    return [Contender(peer.name, lambda: (next(images), texts()), lambda given, peer=peer: peer.segment(*given))
            for peer in peers]
