# SPDX-License-Identifier: Apache-2.0
"""The simulated home as evaluation data: scenes with the prompts that `clipseg scenes` writes for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from clipseg_ros.lab.evaluation.pictures import Picture, Question
from clipseg_ros.lab.scenes.phrases import sample_phrases
from clipseg_ros.lab.scenes.recorded import load_recorded
from clipseg_ros.lab.scenes.scene import Scene
from clipseg_ros.lab.scenes.supports import Supports


class SimulatedPictures:
    """Scenes rendered one after the other (needs MuJoCo and the furniture), none of them from training."""

    def __init__(self, scenes: int, *, seed: int = 0, held_out: bool = False) -> None:
        """Prepare `scenes` scenes; equal seeds give equal ones; `held_out` takes models never trained on."""
        if scenes < 1:
            raise ValueError(f"The limit is {scenes}; it must be at least 1 picture.")
        if seed < 0:
            raise ValueError(f"The seed is {seed}; it must be 0 or more.")
        self._scenes, self._seed, self._held_out = scenes, seed, held_out

    def __len__(self) -> int:
        return self._scenes

    def __iter__(self) -> Iterator[Picture]:
        from clipseg_ros.lab.scenes.stream import stream_scenes

        return scene_pictures(stream_scenes(self._scenes, seed=self._seed, held_out=self._held_out))


def scene_pictures(scenes: Iterable[Scene]) -> Iterator[Picture]:
    """Turn scenes into pictures with questions; a scene's seed decides its phrases.

    A visual prompt is added where an earlier scene showed another instance of one of the categories.
    """
    supports = Supports()
    for scene in scenes:
        rng = np.random.default_rng([scene.seed, 31])
        category_of = {thing.id: thing.category for thing in scene.objects}
        questions = [
            Question(phrase.text, phrase.type, phrase.mask(scene.ids), _category(phrase.ids, category_of))
            for phrase in sample_phrases(scene.objects, scene.ids, rng)
        ]
        visual = supports.draw(scene, rng)
        if visual is not None:
            category, support, ids = visual
            example = support.image, support.mask
            questions.append(Question(category, "visual", scene.mask(ids), category, example))
        supports.learn(scene)
        nameable = tuple(thing.id for thing in scene.objects if thing.nameable)
        yield Picture(f"scene {scene.seed}", scene.rgb, tuple(questions), scene.ids, nameable)


def simulated_home(
    limit: int | None, *, seed: int = 0, held_out: bool = False
) -> tuple[Iterable[Picture], str]:
    """Return `limit` (default 100) rendered pictures and what they are; the recorded ones without MuJoCo."""
    pictures = SimulatedPictures(100 if limit is None else limit, seed=seed, held_out=held_out)
    try:
        import clipseg_ros.lab.scenes.home  # noqa: F401
    except ImportError as error:
        if held_out or seed:
            raise ImportError(f"other scenes than the recorded ones cannot be rendered: {error}") from error
        recorded = list(scene_pictures(load_recorded()))[:limit]
        return recorded, f"the recorded scenes, as others cannot be rendered ({error})"
    return pictures, f"the simulated home (seed {seed}{', held-out objects' if held_out else ''})"


def _category(ids: tuple[int, ...], category_of: dict[int, str]) -> str | None:
    """Return the category that all these objects share, None where they differ."""
    categories = {category_of[i] for i in ids}
    return categories.pop() if len(categories) == 1 else None
