# SPDX-License-Identifier: Apache-2.0
"""A rendered scene: picture, depth, instance ids, camera and the objects in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene.

    Attributes
    ----------
    id : its value in the id image, 1 to 255
    colour : its name, or None where it has no single one
    model : `<catalogue>/<model>` or `shape/<name>`
    size : (3,) width, depth, height in metres
    centroid : (3,) mean of its visible points in the camera's optical frame, metres
    pixels : visible ones
    visible : share of its silhouette that nothing hides
    nameable : whether a person would point it out
    """

    id: int
    category: str
    colour: str | None
    model: str
    size: tuple[float, float, float]
    centroid: tuple[float, float, float] | None = None
    pixels: int = 0
    visible: float = 1.0
    nameable: bool = True
    held_out: bool = False
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def to_dict(self) -> dict:
        """Plain numbers and strings for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> SceneObject:
        """The inverse of to_dict; ValueError for missing or unknown keys."""
        try:
            lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
            return cls(**{**values, **lists})
        except TypeError as error:
            raise ValueError(f"a scene object cannot be made from {sorted(values)}: {error}") from error


@dataclass(frozen=True)
class Scene:
    """A picture of the home, with everything that is known about it.

    Attributes
    ----------
    rgb : (H, W, 3) uint8
    depth : (H, W) float32 metres, or None
    ids : (H, W) uint8, 0 where no object is
    k : (3, 3) float64 camera matrix in pixels
    camera_pose : (4, 4) from the camera's optical frame to the room (z up), metres
    seed : what it was drawn from
    """

    rgb: np.ndarray
    depth: np.ndarray | None
    ids: np.ndarray
    k: np.ndarray
    camera_pose: np.ndarray
    objects: tuple[SceneObject, ...] = field(default_factory=tuple)
    seed: int = 0

    def mask(self, ids) -> np.ndarray:
        """(H, W) bool: the pixels of these object ids."""
        return np.isin(self.ids, list(ids))
