# SPDX-License-Identifier: Apache-2.0
"""Triangle meshes with materials: what the furniture converter and the parametric shapes both make."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Part:
    """One material's triangles.

    vertices (N, 3) float32 metres; faces (M, 3) int32; uv (K, 2) float32 with the origin at the top left
    of the texture and face_uv (M, 3) int32, or None; rgba four floats in [0, 1]; texture (h, w, 3) uint8
    RGB or None; paint: True / False fixes whether the part takes the object's colour, None leaves it to
    its share of the area.
    """

    vertices: np.ndarray
    faces: np.ndarray
    rgba: tuple[float, float, float, float] = (0.8, 0.8, 0.8, 1.0)
    uv: np.ndarray | None = None
    face_uv: np.ndarray | None = None
    texture: np.ndarray | None = None
    paint: bool | None = None

    def area(self) -> float:
        """Surface in square metres."""
        a, b, c = (self.vertices[self.faces[:, i]] for i in range(3))
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)

    def moved(self, offset, *, scale=1.0) -> Part:
        """The part scaled (one or three factors), then moved by offset in metres."""
        vertices = self.vertices * np.asarray(scale, np.float32) + np.asarray(offset, np.float32)
        return replace(self, vertices=vertices.astype(np.float32))


@dataclass(frozen=True)
class Mesh:
    """Parts in a common frame: z up, standing on z = 0, centred on the origin, front towards -y, metres."""

    parts: tuple[Part, ...]

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest corner, (3,) each."""
        low = np.min([p.vertices.min(axis=0) for p in self.parts], axis=0)
        high = np.max([p.vertices.max(axis=0) for p in self.parts], axis=0)
        return low, high

    def size(self) -> np.ndarray:
        """Width, depth and height in metres, (3,)."""
        low, high = self.bounds()
        return high - low

    def settled(self) -> Mesh:
        """The same mesh centred in x and y and standing on z = 0."""
        low, high = self.bounds()
        offset = -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
        return Mesh(tuple(p.moved(offset) for p in self.parts))

    def scaled(self, factor) -> Mesh:
        """The same mesh scaled by one or three factors."""
        return Mesh(tuple(p.moved((0, 0, 0), scale=factor) for p in self.parts))


def turned(part: Part, axis: int, degrees: float) -> Part:
    """The part rotated about a coordinate axis (0 x, 1 y, 2 z) through the origin."""
    angle = np.radians(degrees)
    rotation = np.eye(3)
    i, j = [k for k in range(3) if k != axis]
    if axis == 1:
        i, j = j, i
    rotation[i, i] = rotation[j, j] = np.cos(angle)
    rotation[i, j], rotation[j, i] = -np.sin(angle), np.sin(angle)
    return replace(part, vertices=(part.vertices @ rotation.T).astype(np.float32))
