# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.lab.evaluation.object_scenes import COUNTS, ask, kept_scenes, load, save
from clipseg_ros.lab.scenes.recorded import load_recorded


class Network:
    """Answers with a logit that grows from left to right."""

    def logits(self, image, prompts):
        return np.tile(np.linspace(-4, 4, 24, dtype=np.float32), (len(prompts), 24, 1))


@pytest.fixture(scope="module")
def asked():
    return ask(load_recorded()[0], Network())


def test_a_scene_is_asked_the_same_every_time(asked):
    again = ask(load_recorded()[0], Network())
    assert again.questions == asked.questions and 0 < len(asked.questions) <= sum(COUNTS.values())
    assert {phrase.type for phrase in asked.questions} <= set(COUNTS)


def test_answers_are_probabilities_of_the_picture_s_size(asked):
    answers = asked.answers
    assert answers.shape == (len(asked.questions), *asked.scene.ids.shape) and answers.dtype == np.float32
    assert answers[0, 0, 0] == pytest.approx(1 / (1 + np.exp(4)), abs=1e-3) and answers.max() < 1
    assert [truth.sum() for truth in asked.truths] == [phrase.mask(asked.scene.ids).sum() for phrase in asked.questions]
    assert asked.camera.size == asked.scene.ids.shape[::-1]


def test_what_is_kept_comes_back(asked, tmp_path):
    save(tmp_path / "seed7-0000.npz", asked)
    (back,) = kept_scenes(tmp_path, 1, Network(), seed=7)
    assert back.questions == asked.questions and back.scene.objects == asked.scene.objects
    np.testing.assert_array_equal(back.scene.rgb, asked.scene.rgb)
    np.testing.assert_array_equal(back.scene.depth, asked.scene.depth)
    np.testing.assert_array_equal(back.logits, asked.logits)
    assert load(tmp_path / "seed7-0000.npz").scene.seed == asked.scene.seed
    assert [file.name for file in tmp_path.iterdir()] == ["seed7-0000.npz"]
