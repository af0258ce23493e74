# SPDX-License-Identifier: Apache-2.0
"""Who is given what: new images to everybody, known or new prompts, and an image that this package has seen."""

import numpy as np
import pytest

from clipseg_ros.lab.benchmarking.cases import NEW_PROMPTS, NOISE, OURS, REUSING, new_image, new_prompt, unchanged_scene
from clipseg_ros.lab.benchmarking.inputs import phrases

SIZE = (6, 4)


class Notebook:
    """Stands in for a network; notes what it is given."""

    def __init__(self, name="noted"):
        self.name = name
        self.calls = []

    def segment(self, image, prompts):
        assert image.shape == (4, 6, 3)
        self.calls.append((image.tobytes(), list(prompts)))
        return np.zeros((len(prompts), 4, 6), np.float32)


@pytest.fixture
def networks():
    return Notebook(), [Notebook("first"), Notebook("second")]


def call(contenders, rounds):
    for _ in range(rounds):
        for contender in contenders:
            contender.call(contender.prepare())


def test_a_new_image(networks):
    ours, peers = networks
    contenders = new_image(ours, peers, prompts=3, size=SIZE)
    assert [contender.name for contender in contenders] == [OURS, NEW_PROMPTS, "first", "second"]
    call(contenders, 2)
    calls = [*ours.calls, *peers[0].calls, *peers[1].calls]
    assert len({image for image, _ in calls}) == len(calls) == 8
    known = [prompts for _, prompts in ours.calls[::2]]
    fresh = [text for _, prompts in ours.calls[1::2] for text in prompts]
    assert known == [phrases(3)] * 2 == [prompts for _, prompts in peers[1].calls]
    assert len(set(fresh)) == 6 and not set(fresh) & set(phrases(3))


def test_a_new_prompt_on_an_image_that_was_seen(networks):
    ours, peers = networks
    contenders = new_prompt(ours, peers, size=SIZE)
    assert [contender.name for contender in contenders] == [OURS, "first", "second"]
    given = contenders[0].prepare()
    assert ours.calls == [(given[0].tobytes(), phrases(1))], "seen before it is timed"
    contenders[0].call(given)
    assert ours.calls[1][0] == ours.calls[0][0] and ours.calls[1][1] == given[1] != phrases(1)
    call(contenders, 2)
    texts = [prompts[0] for network in (ours, *peers) for _, prompts in network.calls if prompts != phrases(1)]
    assert len(texts) == len(set(texts)) == 7
    assert all(len(network.calls) == 2 for network in peers)


def test_a_scene_at_rest(networks):
    ours, peers = networks
    reusing = peers[0]
    contenders = unchanged_scene(ours, reusing, size=SIZE)
    assert [contender.name for contender in contenders] == [OURS, REUSING]
    assert (len(ours.calls), len(reusing.calls)) == (0, 1), "seen before it is timed"
    first, second = (contenders[0].prepare().astype(int) for _ in range(2))
    assert 0 < np.abs(first - second).max() <= NOISE
    call(contenders, 1)
    assert [prompts for _, prompts in (*ours.calls, *reusing.calls)] == [phrases(1)] * 3
