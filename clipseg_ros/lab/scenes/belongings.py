# SPDX-License-Identifier: Apache-2.0
"""Parametric hats, shoes and teddy bears. Each takes a Generator and draws its proportions."""

from __future__ import annotations

import numpy as np

from clipseg_ros.lab.scenes.mesh import Mesh, Part, turned
from clipseg_ros.lab.scenes.primitives import box, ellipsoid, lathe, sheet

DARK = (0.07, 0.07, 0.08, 1.0)
CREAM = (0.95, 0.92, 0.84, 1.0)


def sun_hat(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.085, 0.1), rng.uniform(0.09, 0.12)
    brim = r * rng.uniform(1.8, 2.2)
    crown = lathe(
        [(brim, 0.006), (r * 1.1, 0.012), (r, 0.02), (r * 0.92, h * 0.8), (r * 0.75, h), (1e-4, h * 0.96)],
        squash=1.1,
        paint=True,
    )
    band = lathe([(r * 1.03, 0.018), (r * 1.0, 0.045)], squash=1.1, rgba=(0.12, 0.1, 0.1, 1), paint=False)
    return Mesh((crown, band))


def top_hat(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.085, 0.095), rng.uniform(0.12, 0.16)
    crown = lathe(
        [(r * 1.55, 0.012), (r * 1.45, 0.004), (r, 0.01), (r * 0.96, h * 0.5), (r * 1.04, h), (1e-4, h)],
        squash=1.12,
        paint=True,
    )
    band = lathe([(r * 1.03, 0.012), (r * 1.0, 0.045)], squash=1.12, rgba=CREAM, paint=False)
    return Mesh((crown, band))


def peaked_cap(rng: np.random.Generator) -> Mesh:
    r = rng.uniform(0.088, 0.1)
    angles = np.linspace(0, np.pi / 2, 9)
    dome = lathe(
        [(r, 0), *[(max(r * np.cos(a), 1e-4), 0.025 + r * 0.85 * np.sin(a)) for a in angles]],
        squash=1.1,
        paint=True,
    )
    fan = np.linspace(np.pi * 1.15, np.pi * 1.85, 16)
    outline = [(r * 0.95 * np.cos(a), r * 1.95 * np.sin(a)) for a in fan] + [
        (r * 0.7, -r * 0.6),
        (-r * 0.7, -r * 0.6),
    ]
    return Mesh(
        (
            dome,
            sheet(outline, 0.006, paint=True),
            ellipsoid(0.008, 0.008, 0.005, at=(0, 0, 0.025 + r * 0.86), paint=True),
        )
    )


def low_shoes(rng: np.random.Generator) -> Mesh:
    length, w, h = rng.uniform(0.26, 0.3), rng.uniform(0.09, 0.105), rng.uniform(0.085, 0.11)
    sole_colour = _choice(rng, (CREAM, DARK, (0.45, 0.3, 0.18, 1)))
    parts: list[Part] = []
    for side in (-1, 1):
        x = side * w * 0.6
        parts += [
            ellipsoid(w * 0.5, length * 0.5, 0.02, at=(x, 0, 0.014), rgba=sole_colour, paint=False),
            ellipsoid(w * 0.47, length * 0.3, h * 0.42, at=(x, -length * 0.17, h * 0.36), paint=True),
            ellipsoid(w * 0.43, length * 0.26, h * 0.6, at=(x, length * 0.2, h * 0.48), paint=True),
            ellipsoid(
                w * 0.3,
                length * 0.17,
                0.008,
                at=(x, length * 0.22, h * 1.04),
                rgba=(0.05, 0.05, 0.05, 1),
                paint=False,
            ),
        ]
        parts += [
            box(
                w * 0.5,
                0.008,
                0.006,
                at=(x, -length * (0.02 + 0.06 * k), h * (0.86 - 0.09 * k)),
                rgba=CREAM,
                paint=False,
            )
            for k in range(3)
        ]
    return Mesh(tuple(parts))


def boots(rng: np.random.Generator) -> Mesh:
    length, w, h = rng.uniform(0.25, 0.29), rng.uniform(0.09, 0.1), rng.uniform(0.2, 0.28)
    parts: list[Part] = []
    for side in (-1, 1):
        x = side * w * 0.62
        parts += [
            ellipsoid(w * 0.5, length * 0.5, 0.022, at=(x, 0, 0.016), rgba=DARK, paint=False),
            ellipsoid(w * 0.47, length * 0.36, 0.05, at=(x, -length * 0.12, 0.045), paint=True),
            lathe(
                [
                    (w * 0.46, 0.02),
                    (w * 0.42, h * 0.4),
                    (w * 0.48, h),
                    (w * 0.43, h),
                    (w * 0.36, h * 0.5),
                    (1e-4, h * 0.4),
                ],
                at=(x, length * 0.24, 0),
                squash=1.15,
                paint=True,
            ),
        ]
    return Mesh(tuple(parts))


def teddy(rng: np.random.Generator) -> Mesh:
    s = rng.uniform(0.85, 1.2)
    fur, snout = {"paint": True, "rgba": (0.6, 0.4, 0.2, 1)}, {"rgba": (0.95, 0.85, 0.7, 1), "paint": False}
    parts = [
        ellipsoid(0.075, 0.065, 0.09, at=(0, 0, 0.1), **fur),
        ellipsoid(0.065, 0.058, 0.058, at=(0, -0.005, 0.225), **fur),
        ellipsoid(0.03, 0.024, 0.024, at=(0, -0.06, 0.212), **snout),
        ellipsoid(0.045, 0.02, 0.055, at=(0, -0.056, 0.1), **snout),
        ellipsoid(0.01, 0.008, 0.008, at=(0, -0.083, 0.222), rgba=DARK, paint=False),
    ]
    for side in (-1, 1):
        parts += [
            ellipsoid(0.026, 0.014, 0.026, at=(side * 0.05, 0, 0.272), **fur),
            ellipsoid(0.009, 0.006, 0.009, at=(side * 0.025, -0.057, 0.24), rgba=DARK, paint=False),
            turned(ellipsoid(0.028, 0.026, 0.06, **fur), 1, side * -40).moved((side * 0.09, -0.015, 0.13)),
            turned(ellipsoid(0.034, 0.032, 0.065, **fur), 0, 75).moved((side * 0.055, -0.07, 0.036)),
            ellipsoid(0.026, 0.008, 0.026, at=(side * 0.055, -0.131, 0.05), **snout),
        ]
    return Mesh(tuple(p.moved((0, 0, 0), scale=s) for p in parts))


def standing_teddy(rng: np.random.Generator) -> Mesh:
    s = rng.uniform(0.9, 1.15)
    fur, snout = {"paint": True, "rgba": (0.45, 0.28, 0.14, 1)}, {"rgba": (0.9, 0.8, 0.66, 1), "paint": False}
    parts = [
        ellipsoid(0.062, 0.05, 0.085, at=(0, 0, 0.155), **fur),
        ellipsoid(0.062, 0.056, 0.055, at=(0, 0, 0.275), **fur),
        ellipsoid(0.032, 0.024, 0.022, at=(0, -0.052, 0.262), **snout),
        ellipsoid(0.011, 0.008, 0.008, at=(0, -0.075, 0.272), rgba=DARK, paint=False),
    ]
    for side in (-1, 1):
        parts += [
            ellipsoid(0.024, 0.013, 0.024, at=(side * 0.048, 0, 0.322), **fur),
            ellipsoid(0.009, 0.006, 0.009, at=(side * 0.024, -0.053, 0.29), rgba=DARK, paint=False),
            turned(ellipsoid(0.023, 0.023, 0.058, **fur), 1, side * -25).moved((side * 0.075, 0, 0.17)),
            ellipsoid(0.03, 0.034, 0.055, at=(side * 0.036, -0.004, 0.052), **fur),
        ]
    return Mesh(tuple(p.moved((0, 0, 0), scale=s) for p in parts))


def _choice(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]
