# SPDX-License-Identifier: Apache-2.0
"""Parametric hammers, scissors, drills and knives. Each takes a Generator and draws its proportions."""

from __future__ import annotations

import numpy as np

from clipseg_ros.lab.scenes.mesh import Mesh, Part, turned
from clipseg_ros.lab.scenes.primitives import box, cylinder, lathe, sheet, tube

METAL = (0.62, 0.63, 0.66, 1.0)
STEEL = (0.78, 0.79, 0.82, 1.0)
DARK = (0.07, 0.07, 0.08, 1.0)


def hammer(rng: np.random.Generator) -> Mesh:
    length, head = rng.uniform(0.28, 0.34), rng.uniform(0.1, 0.125)
    r = rng.uniform(0.013, 0.016)
    handle = turned(
        lathe(
            [
                (1e-4, 0),
                (r, 0),
                (r * 1.15, length * 0.25),
                (r * 0.75, length * 0.5),
                (r * 0.8, length),
                (1e-4, length),
            ],
            paint=True,
        ),
        1,
        90,
    )
    face = turned(cylinder(0.018, head * 0.45), 0, 90)
    block = box(0.03, head * 0.5, 0.03, at=(0, 0, -0.015))
    claw = [
        turned(box(0.011, head * 0.5, 0.012), 0, 18).moved((s * 0.009, head * 0.42, -0.012)) for s in (-1, 1)
    ]
    iron = [_metal(p).moved((length * 0.96, 0, 0)) for p in (face.moved((0, -head * 0.08, 0)), block, *claw)]
    return Mesh((handle, *iron))


def mallet(rng: np.random.Generator) -> Mesh:
    length, r = rng.uniform(0.26, 0.33), rng.uniform(0.026, 0.034)
    handle = turned(cylinder(0.0135, length, paint=True), 1, 90)
    head = turned(cylinder(r, 0.115, rgba=(0.2, 0.2, 0.22, 1), paint=False), 0, 90).moved((length, 0.0575, 0))
    return Mesh((handle, head))


def scissors(rng: np.random.Generator) -> Mesh:
    length, ring, open_angle = rng.uniform(0.19, 0.24), rng.uniform(0.022, 0.028), rng.uniform(8, 22)
    parts = []
    for side in (-1, 1):
        lift = (0, 0, 0.0032 * (side > 0))
        half = _scissor_half(length, ring, side=side)
        parts += [turned(p, 2, side * open_angle / 2).moved(lift) for p in half]
    parts.append(cylinder(0.006, 0.009, at=(0, 0.004, 0.001), rgba=METAL, paint=False))
    return Mesh(tuple(parts))


def _scissor_half(length: float, ring: float, *, side: int) -> list[Part]:
    """Blade, grip and shank of one half; side is -1 or 1."""
    edge = [
        (-0.008, -0.01),
        (0.009, -0.01),
        (0.008, length * 0.3),
        (0.0, length * 0.58),
        (-0.004, length * 0.3),
    ]
    angles = np.linspace(0, 2 * np.pi, 22)
    across = ring * 0.85 * np.cos(angles) + side * ring * 0.6
    along = ring * 1.35 * np.sin(angles) - ring * 1.9
    grip = tube(np.stack([across, along, np.full(22, 0.006)], 1), 0.0055, paint=True)
    x = side * 0.006
    outline = [(x - 0.006, -ring * 0.8), (x + 0.006, -ring * 0.8), (0.009, 0), (-0.009, 0)]
    return [sheet(edge, 0.003, rgba=STEEL, paint=False), grip, sheet(outline, 0.007, paint=True)]


def drill(rng: np.random.Generator) -> Mesh:
    body_r, length = rng.uniform(0.03, 0.035), rng.uniform(0.15, 0.18)
    grip = rng.uniform(0.12, 0.15)
    top = grip + 0.04
    body = turned(cylinder(body_r, length, paint=True), 1, 90).moved((-length * 0.45, 0, top + body_r))
    chuck = turned(
        lathe(
            [(1e-4, 0), (body_r * 0.75, 0), (body_r * 0.7, 0.03), (0.008, 0.05), (1e-4, 0.05)],
            rgba=DARK,
            paint=False,
        ),
        1,
        90,
    )
    bit = turned(cylinder(0.0045, 0.1, rgba=STEEL, paint=False), 1, 90)
    end = length * 0.55
    handle = turned(box(0.042, 0.036, grip, rgba=DARK, paint=False), 1, 8).moved((-length * 0.32, 0, 0.035))
    battery = box(0.1, 0.065, 0.045, at=(-length * 0.28, 0, 0), paint=True)
    trigger = box(
        0.014, 0.02, 0.03, at=(-length * 0.06, 0, top - 0.035), rgba=(0.8, 0.1, 0.1, 1), paint=False
    )
    return Mesh(
        (
            body,
            chuck.moved((end, 0, top + body_r)),
            bit.moved((end + 0.045, 0, top + body_r)),
            handle,
            battery,
            trigger,
        )
    )


def knife(rng: np.random.Generator) -> Mesh:
    blade, grip, w = rng.uniform(0.14, 0.2), rng.uniform(0.1, 0.13), rng.uniform(0.028, 0.042)
    steel = sheet(
        [(0, -w / 2), (blade * 0.7, -w * 0.45), (blade, w * 0.4), (blade * 0.97, w / 2), (0, w / 2)],
        0.003,
        rgba=STEEL,
        paint=False,
    ).moved((0, 0, 0.006))
    handle = box(grip, w * 0.62, 0.015, at=(-grip / 2, w * 0.1, 0), paint=True)
    rivets = [
        cylinder(0.004, 0.0165, at=(-grip * f, w * 0.1, 0), rgba=STEEL, paint=False)
        for f in (0.25, 0.5, 0.75)
    ]
    return Mesh((steel, handle, *rivets))


def table_knife(rng: np.random.Generator) -> Mesh:
    blade, grip, w = rng.uniform(0.1, 0.12), rng.uniform(0.1, 0.12), rng.uniform(0.02, 0.024)
    outline = [
        (0, -w / 2),
        (blade * 0.85, -w / 2),
        (blade, -w * 0.1),
        (blade * 0.97, w * 0.45),
        (blade * 0.8, w / 2),
        (0, w * 0.35),
    ]
    steel = sheet(outline, 0.0025, rgba=STEEL, paint=False).moved((0, 0, 0.004))
    handle = turned(
        lathe(
            [(1e-4, 0), (w * 0.36, 0), (w * 0.5, grip * 0.7), (w * 0.4, grip), (1e-4, grip)],
            squash=1.0,
            paint=True,
        ),
        1,
        -90,
    )
    return Mesh((steel, handle.moved((0, 0, w * 0.5))))


def _metal(part: Part) -> Part:
    return Part(part.vertices, part.faces, METAL, paint=False)
