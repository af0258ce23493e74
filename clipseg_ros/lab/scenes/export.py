# SPDX-License-Identifier: Apache-2.0
"""Scenes and their prompts into the folder format of the evaluation."""

from __future__ import annotations

import numpy as np

from clipseg_ros.lab.datasets.folder import FolderWriter
from clipseg_ros.lab.scenes.phrases import sample_phrases
from clipseg_ros.lab.scenes.scene import Scene
from clipseg_ros.lab.scenes.supports import Supports


def write_scene(folder: FolderWriter, scene: Scene, supports: Supports) -> int:
    """Add a scene with its ids, depth and prompts; a visual prompt where `supports` has an example, which
    then learns the scene. The phrases depend on the scene's seed alone. Returns the number of prompts."""
    rng = np.random.default_rng([scene.seed, 31])
    image = folder.add_image(scene.rgb)
    categories = {o.id: o.category for o in scene.objects}
    phrases = sample_phrases(scene.objects, scene.ids, rng)
    for phrase in phrases:
        named = {categories[i] for i in phrase.ids}
        folder.add_prompt(
            image,
            phrase.text,
            phrase.type,
            mask=scene.mask(phrase.ids) if phrase.ids else None,
            category=named.pop() if len(named) == 1 else None,
        )
    visual = supports.draw(scene, rng)
    if visual is not None:
        category, support, ids = visual
        folder.add_prompt(
            image,
            category,
            "visual",
            mask=scene.mask(ids),
            category=category,
            visual=folder.add_visual(support.image, support.mask),
        )
    supports.learn(scene)
    folder.add_scene(image, ids=scene.ids, depth=scene.depth, **describe(scene))
    return len(phrases) + (visual is not None)


def describe(scene: Scene) -> dict:
    """What a line of scenes.jsonl says besides the files: camera, objects and seed, ready for JSON."""
    return {
        "K": scene.k.tolist(),
        "camera_pose": np.round(scene.camera_pose, 6).tolist(),
        "seed": scene.seed,
        "objects": [_rounded(o.to_dict()) for o in scene.objects],
    }


def _rounded(values: dict) -> dict:
    return {k: [round(x, 4) for x in v] if isinstance(v, tuple) else v for k, v in values.items()}
