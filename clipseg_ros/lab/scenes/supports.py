# SPDX-License-Identifier: Apache-2.0
"""Visual prompts: an object cut out of an earlier scene, as the example for another of its kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipseg_ros.lab.scenes.scene import Scene

_MIN_SHARE, _MIN_VISIBLE = 0.01, 0.7  # of the picture, of the object: below, it is no good example
_CONTEXT = 0.35  # of the object's box, left around it
_KEPT = 4  # examples of a category


@dataclass(frozen=True)
class Support:
    """A picture (h, w, 3) uint8 RGB around one object, and the object's mask (h, w) bool in it."""

    image: np.ndarray
    mask: np.ndarray
    model: str


class Supports:
    """Examples collected from scenes, by category."""

    def __init__(self):
        self._known: dict[str, list[Support]] = {}

    def learn(self, scene: Scene) -> None:
        """Keep the scene's well visible objects."""
        for item in scene.objects:
            if item.pixels >= _MIN_SHARE * scene.ids.size and item.visible >= _MIN_VISIBLE:
                kept = self._known.setdefault(item.category, [])
                kept.append(_cut(scene, item.id, item.model))
                del kept[:-_KEPT]

    def draw(self, scene: Scene, rng: np.random.Generator) -> tuple[str, Support, tuple[int, ...]] | None:
        """A category of the scene, an example of it by another model, and the ids that it means; None in
        vain."""
        options = []
        for category in sorted({o.category for o in scene.objects if o.nameable}):
            group = [o for o in scene.objects if o.category == category]
            models = {o.model for o in group}
            options += [
                (category, s, tuple(o.id for o in group))
                for s in self._known.get(category, ())
                if s.model not in models
            ]
        return options[int(rng.integers(len(options)))] if options else None


def _cut(scene: Scene, number: int, model: str) -> Support:
    """The object's box with some context."""
    mask = scene.ids == number
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    margin = round(_CONTEXT * max(np.ptp(rows), np.ptp(columns)) / 2)
    top, bottom = max(rows[0] - margin, 0), rows[-1] + margin + 1
    left, right = max(columns[0] - margin, 0), columns[-1] + margin + 1
    return Support(scene.rgb[top:bottom, left:right].copy(), mask[top:bottom, left:right], model)
