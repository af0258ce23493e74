# SPDX-License-Identifier: Apache-2.0
"""Building blocks of the parametric shapes: boxes, turned profiles, tubes and ellipsoids. Metres, z up."""

from __future__ import annotations

import numpy as np

from clipseg_ros.lab.scenes.mesh import Part

_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0, 1)], np.float32)
_BOX_FACES = np.array(
    [
        [0, 1, 3],
        [0, 3, 2],
        [4, 6, 7],
        [4, 7, 5],
        [0, 4, 5],
        [0, 5, 1],
        [2, 3, 7],
        [2, 7, 6],
        [0, 2, 6],
        [0, 6, 4],
        [1, 5, 7],
        [1, 7, 3],
    ],
    np.int32,
)


def box(width: float, depth: float, height: float, *, at=(0, 0, 0), **material) -> Part:
    """A box centred on `at` in x and y, standing on its z; no corners are shared, so edges stay sharp."""
    corners = _CORNERS * np.array([width, depth, height], np.float32) + np.array(at, np.float32)
    vertices = corners[_BOX_FACES].reshape(-1, 3)
    return Part(vertices, np.arange(36, dtype=np.int32).reshape(-1, 3), **material)


def lathe(profile, *, at=(0, 0, 0), segments: int = 28, squash: float = 1.0, **material) -> Part:
    """A profile of (radius, height) points turned about the z axis; squash flattens the circle along y."""
    profile = np.asarray(profile, np.float32)
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles) * squash], axis=1)
    vertices = np.concatenate(
        [np.concatenate([ring * r, np.full((segments, 1), z)], axis=1) for r, z in profile]
    ) + np.asarray(at)
    return Part(vertices.astype(np.float32), _grid_faces(len(profile), segments), **material)


def cylinder(radius: float, height: float, *, at=(0, 0, 0), top: float | None = None, **material) -> Part:
    """A closed cylinder or, with another top radius, a cut cone."""
    top = radius if top is None else top
    return lathe(
        [(1e-4, 0), (radius, 0), (radius, 1e-4), (top, height - 1e-4), (top, height), (1e-4, height)],
        at=at,
        **material,
    )


def ellipsoid(rx: float, ry: float, rz: float, *, at=(0, 0, 0), **material) -> Part:
    """An ellipsoid centred on `at`."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, 15)
    profile = np.stack([np.maximum(np.cos(angles), 1e-3) * rx, np.sin(angles) * rz], axis=1)
    return lathe(profile, at=at, segments=22, squash=ry / rx, **material)


def tube(path, radius: float, *, segments: int = 10, **material) -> Part:
    """A round tube along a path of (N, 3) points; a closed path repeats its first point at the end."""
    path = np.asarray(path, np.float64)
    tangent = np.gradient(path, axis=0)
    if np.allclose(path[0], path[-1]):
        tangent[0] = tangent[-1] = path[1] - path[-2]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    flat = path.std(axis=0)
    side = np.eye(3)[int(np.argmin(flat))]
    normal = np.cross(tangent, side)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    binormal = np.cross(tangent, normal)
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    rings = path[:, None] + radius * (
        np.cos(angles)[None, :, None] * normal[:, None] + np.sin(angles)[None, :, None] * binormal[:, None]
    )
    return Part(rings.reshape(-1, 3).astype(np.float32), _grid_faces(len(path), segments), **material)


def arc(
    radius_x: float, radius_z: float, *, at=(0, 0, 0), start: float = -90, end: float = 90, points: int = 14
):
    """Points (N, 3) of an elliptical arc in the x-z plane, angles in degrees."""
    angles = np.radians(np.linspace(start, end, points))
    path = np.stack([radius_x * np.cos(angles), np.zeros(points), radius_z * np.sin(angles)], axis=1)
    return path + np.asarray(at)


def sheet(outline, thickness: float, **material) -> Part:
    """A flat convex outline of (N, 2) x-y points, counter-clockwise, `thickness` high."""
    outline = np.asarray(outline, np.float32)
    count = len(outline)
    low = np.concatenate([outline, np.zeros((count, 1), np.float32)], axis=1)
    high = low + np.array([0, 0, thickness], np.float32)
    fan = np.array([[0, i, i + 1] for i in range(1, count - 1)], np.int32)
    sides, walls = [], []
    for i in range(count):
        j = (i + 1) % count
        base = 2 * count + 4 * i
        sides += [low[i], low[j], high[j], high[i]]
        walls += [[base, base + 1, base + 2], [base, base + 2, base + 3]]
    vertices = np.concatenate([low, high, np.array(sides, np.float32)])
    faces = np.concatenate([fan[:, ::-1], fan + count, np.array(walls, np.int32)])
    return Part(vertices, faces.astype(np.int32), **material)


def _grid_faces(rows: int, columns: int) -> np.ndarray:
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    a, b = r * columns + c, r * columns + (c + 1) % columns
    d, e = a + columns, b + columns
    return np.concatenate(
        [np.stack([a, b, e], -1).reshape(-1, 3), np.stack([a, e, d], -1).reshape(-1, 3)]
    ).astype(np.int32)
