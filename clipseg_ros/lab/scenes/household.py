# SPDX-License-Identifier: Apache-2.0
"""Parametric boxes, telephones, laptops and books. Each takes a Generator and draws its proportions."""

from __future__ import annotations

import numpy as np

from clipseg_ros.lab.scenes.mesh import Mesh, Part, turned
from clipseg_ros.lab.scenes.primitives import box, cylinder

METAL = (0.62, 0.63, 0.66, 1.0)
DARK = (0.07, 0.07, 0.08, 1.0)
CREAM = (0.95, 0.92, 0.84, 1.0)
SCREEN = (0.05, 0.09, 0.16, 1.0)


def closed_box(rng: np.random.Generator) -> Mesh:
    w, d, h = rng.uniform(0.14, 0.28), rng.uniform(0.1, 0.2), rng.uniform(0.08, 0.18)
    return Mesh(
        (box(w, d, h, paint=True), box(w * 1.004, 0.035, h * 1.004, rgba=(0.86, 0.8, 0.66, 1), paint=False))
    )


def lidded_box(rng: np.random.Generator) -> Mesh:
    w, d, h = rng.uniform(0.16, 0.26), rng.uniform(0.12, 0.2), rng.uniform(0.08, 0.14)
    return Mesh(
        (box(w, d, h, paint=True), box(w + 0.012, d + 0.012, h * 0.28, at=(0, 0, h * 0.8), paint=True))
    )


def open_box(rng: np.random.Generator) -> Mesh:
    w, d, h, t = rng.uniform(0.18, 0.3), rng.uniform(0.14, 0.22), rng.uniform(0.09, 0.16), 0.006
    sides = [box(w, d, t, paint=True)]
    sides += [box(w, t, h, at=(0, s * (d - t) / 2, 0), paint=True) for s in (-1, 1)]
    sides += [box(t, d - 2 * t, h, at=(s * (w - t) / 2, 0, 0), paint=True) for s in (-1, 1)]
    return Mesh(tuple(sides))


def gift_box(rng: np.random.Generator) -> Mesh:
    w, h = rng.uniform(0.12, 0.2), rng.uniform(0.1, 0.16)
    ribbon = (0.95, 0.9, 0.75, 1)
    return Mesh(
        (
            box(w, w, h, paint=True),
            box(w * 1.01, 0.02, h * 1.01, rgba=ribbon, paint=False),
            box(0.02, w * 1.01, h * 1.01, rgba=ribbon, paint=False),
        )
    )


def smartphone(rng: np.random.Generator) -> Mesh:
    w, d, h = rng.uniform(0.07, 0.082), rng.uniform(0.145, 0.168), rng.uniform(0.008, 0.011)
    screen = box(w * 0.9, d * 0.9, 0.0012, at=(0, 0, h), rgba=SCREEN, paint=False)
    colours = rng.uniform(0.15, 0.95, (9, 3))
    icons = [
        box(
            w * 0.15,
            w * 0.15,
            0.0008,
            at=((i % 3 - 1) * w * 0.26, (i // 3 - 0.2) * w * 0.3, h + 0.0012),
            rgba=(*c, 1),
            paint=False,
        )
        for i, c in enumerate(colours)
    ]
    button = cylinder(w * 0.06, 0.0008, at=(0, -d * 0.475, h), rgba=METAL, paint=False)
    return Mesh((box(w, d, h, paint=True), screen, button, *icons))


def handset(rng: np.random.Generator) -> Mesh:
    w, d = rng.uniform(0.17, 0.21), rng.uniform(0.2, 0.24)
    base = box(w, d, 0.045, paint=True)
    keys = [
        box(
            0.018,
            0.014,
            0.006,
            at=(w * 0.2 + (i % 3 - 1) * 0.026, -d * 0.2 + (i // 3 - 1) * 0.022, 0.045),
            rgba=CREAM,
            paint=False,
        )
        for i in range(12)
    ]
    x = -w * 0.28
    receiver = [
        box(0.045, d * 0.95, 0.02, at=(x, 0, 0.066), paint=True),
        box(0.05, 0.05, 0.03, at=(x, d * 0.42, 0.044), paint=True),
        box(0.05, 0.05, 0.03, at=(x, -d * 0.42, 0.044), paint=True),
    ]
    return Mesh((base, *keys, *receiver))


def laptop(rng: np.random.Generator) -> Mesh:
    w, d, tilt = rng.uniform(0.3, 0.37), rng.uniform(0.21, 0.25), rng.uniform(8, 28)
    base = box(w, d, 0.018, paint=True)
    keys = [
        box(
            w * 0.062,
            d * 0.075,
            0.003,
            at=((c - 5.5) * w * 0.075, d * 0.12 + (r - 1.2) * d * 0.1, 0.018),
            rgba=DARK,
            paint=False,
        )
        for r in range(4)
        for c in range(12)
    ]
    pad = box(w * 0.3, d * 0.24, 0.001, at=(0, -d * 0.31, 0.018), rgba=METAL, paint=False)
    lid = [
        box(w, 0.008, d, paint=True),
        box(w * 0.92, 0.001, d * 0.86, at=(0, -0.0046, d * 0.07), rgba=SCREEN, paint=False),
    ]
    lid = [turned(p, 0, -tilt).moved((0, d / 2, 0.016)) for p in lid]
    return Mesh((base, *keys, pad, *lid))


def book(rng: np.random.Generator) -> Mesh:
    w, d, h = rng.uniform(0.14, 0.2), rng.uniform(0.2, 0.27), rng.uniform(0.018, 0.045)
    t = 0.0025
    label = box(w * 0.6, d * 0.16, 0.0006, at=(0, d * 0.15, h), rgba=CREAM, paint=False)
    return Mesh(
        (
            box(w, d, t, paint=True),
            box(w, d, t, at=(0, 0, h - t), paint=True),
            label,
            box(t, d, h, at=(-w / 2 + t / 2, 0, 0), paint=True),
            box(w - 0.01, d - 0.01, h - 2 * t, at=(-0.003, 0, t), rgba=CREAM, paint=False),
        )
    )


def book_pile(rng: np.random.Generator) -> Mesh:
    parts: list[Part] = []
    height = 0.0
    for _ in range(int(rng.integers(2, 4))):
        one = book(rng)
        turn = rng.uniform(-15, 15)
        parts += [turned(p, 2, turn).moved((0, 0, height)) for p in one.parts]
        height += one.size()[2] + 0.0005
    return Mesh(tuple(parts))
