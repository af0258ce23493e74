# SPDX-License-Identifier: Apache-2.0
"""Parametric lamps for tables, desks and floors. Each takes a Generator and draws its proportions."""

from __future__ import annotations

import numpy as np

from clipseg_ros.lab.scenes.mesh import Mesh, turned
from clipseg_ros.lab.scenes.primitives import cylinder, ellipsoid, lathe, tube

METAL = (0.62, 0.63, 0.66, 1.0)
DARK = (0.07, 0.07, 0.08, 1.0)
CREAM = (0.95, 0.92, 0.84, 1.0)


def table_lamp(rng: np.random.Generator) -> Mesh:
    h, shade = rng.uniform(0.34, 0.48), rng.uniform(0.11, 0.15)
    top = shade * rng.uniform(0.5, 0.85)
    base = lathe(
        [
            (1e-4, 0),
            (0.07, 0),
            (0.065, 0.012),
            (0.02, 0.03),
            (0.035, h * 0.25),
            (0.012, h * 0.5),
            (0.01, h * 0.75),
            (1e-4, h * 0.75),
        ],
        rgba=_choice(rng, (METAL, DARK, CREAM, (0.45, 0.28, 0.15, 1))),
        paint=False,
    )
    return Mesh(
        (base, lathe([(shade, h * 0.58), (top, h), (top - 0.003, h), (shade - 0.003, h * 0.58)], paint=True))
    )


def globe_lamp(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.07, 0.1), rng.uniform(0.1, 0.18)
    foot = cylinder(r * 0.8, 0.02, paint=True)
    return Mesh(
        (
            foot,
            cylinder(0.014, h, at=(0, 0, 0.02), paint=True),
            ellipsoid(r, r, r, at=(0, 0, h + r), rgba=(1, 0.97, 0.85, 1), paint=False),
        )
    )


def desk_lamp(rng: np.random.Generator) -> Mesh:
    a, b = rng.uniform(0.18, 0.24), rng.uniform(0.16, 0.2)
    elbow = np.array([0.07, 0, a])
    tip = elbow + np.array([-b, 0, 0.09])
    rods = [
        tube(np.linspace(p, q, 3), 0.007, rgba=METAL, paint=False)
        for p, q in (((0, 0, 0.015), elbow), (elbow, tip))
    ]
    shade = turned(
        lathe([(0.07, 0), (0.035, 0.07), (0.018, 0.1), (1e-4, 0.1), (1e-4, 0.096), (0.06, 0.0)], paint=True),
        1,
        25,
    )
    bulb = turned(ellipsoid(0.03, 0.03, 0.03, at=(0, 0, 0.02), rgba=(1, 0.97, 0.8, 1), paint=False), 1, 25)
    return Mesh(
        (cylinder(0.08, 0.018, paint=True), *rods, *[p.moved(tip + (-0.01, 0, -0.08)) for p in (shade, bulb)])
    )


def floor_lamp(rng: np.random.Generator) -> Mesh:
    h, shade = rng.uniform(1.35, 1.65), rng.uniform(0.19, 0.26)
    foot = [cylinder(0.15, 0.025, rgba=DARK, paint=False), cylinder(0.016, h * 0.85, rgba=DARK, paint=False)]
    top = shade * rng.uniform(0.5, 0.95)
    return Mesh(
        (*foot, lathe([(shade, h - 0.34), (top, h), (top - 0.004, h), (shade - 0.004, h - 0.34)], paint=True))
    )


def _choice(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]
