# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from clipseg_ros.lab.scenes.scene import Scene, SceneObject
from clipseg_ros.lab.scenes.supports import Supports


def scene(*objects):
    """A scene with one 20 x 20 patch for each (category, model, visible)."""
    ids = np.zeros((60, 40 * len(objects)), np.uint8)
    things = []
    for i, (category, model, visible) in enumerate(objects):
        ids[20:40, 40 * i + 10 : 40 * i + 30] = i + 1
        things.append(SceneObject(i + 1, category, None, model, (1, 1, 1), pixels=400, visible=visible))
    rgb = np.repeat(ids[..., None] * 50, 3, axis=2)
    return Scene(rgb, None, ids, np.eye(3), np.eye(4), tuple(things))


def test_an_example_is_another_model_of_the_category():
    supports, rng = Supports(), np.random.default_rng(0)
    supports.learn(scene(("cup", "a", 1.0), ("ball", "b", 1.0)))
    assert supports.draw(scene(("cup", "a", 1.0), ("hat", "c", 1.0)), rng) is None
    category, support, ids = supports.draw(
        scene(("hat", "c", 1.0), ("cup", "d", 1.0), ("cup", "e", 1.0)), rng
    )
    assert (category, support.model, ids) == ("cup", "a", (2, 3))


def test_the_example_is_cut_out_with_its_mask_and_some_context():
    supports = Supports()
    supports.learn(scene(("cup", "a", 1.0)))
    _, support, _ = supports.draw(scene(("cup", "b", 1.0)), np.random.default_rng(0))
    assert support.image.shape[:2] == support.mask.shape and support.mask.sum() == 400
    assert 20 < support.mask.shape[0] < 32
    assert (support.image[support.mask] == 50).all() and (support.image[~support.mask] == 0).all()


def test_what_is_half_hidden_is_no_example():
    supports = Supports()
    supports.learn(scene(("cup", "a", 0.5)))
    assert supports.draw(scene(("cup", "b", 1.0)), np.random.default_rng(0)) is None
