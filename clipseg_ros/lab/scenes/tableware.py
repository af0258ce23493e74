# SPDX-License-Identifier: Apache-2.0
"""Parametric tableware, vases, balls and food. Each takes a Generator and draws its proportions."""

from __future__ import annotations

import numpy as np

from clipseg_ros.lab.scenes.mesh import Mesh, Part
from clipseg_ros.lab.scenes.primitives import arc, box, cylinder, ellipsoid, lathe, tube

METAL = (0.62, 0.63, 0.66, 1.0)
DARK = (0.07, 0.07, 0.08, 1.0)
CREAM = (0.95, 0.92, 0.82, 1.0)
GLASS = (0.75, 0.88, 0.9, 0.42)


def _vessel(outer, wall: float, **material) -> Part:
    """An open vessel from its outer profile, bottom to rim; the inside follows at the wall's thickness."""
    outer = np.asarray(outer, np.float32)
    inner = [(max(r - wall, 1e-4), max(z, outer[0, 1] + wall)) for r, z in outer[::-1]]
    return lathe([(1e-4, outer[0, 1]), *outer, *inner, (1e-4, outer[0, 1] + wall)], **material)


def mug(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.038, 0.048), rng.uniform(0.085, 0.115)
    body = _vessel([(r, 0), (r, h)], 0.004, paint=True)
    handle = tube(arc(0.032, h * 0.32, at=(r - 0.004, 0, h * 0.52)), 0.0055, paint=True)
    return Mesh((body, handle))


def teacup(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.045, 0.055), rng.uniform(0.055, 0.07)
    body = _vessel(
        [(r * 0.45, 0), (r * 0.5, 0.006), (r * 0.78, h * 0.4), (r * 0.95, h * 0.75), (r, h)],
        0.003,
        paint=True,
    )
    handle = tube(arc(0.024, h * 0.3, at=(r * 0.88, 0, h * 0.58)), 0.004, paint=True)
    return Mesh((body, handle))


def tapered_mug(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.04, 0.048), rng.uniform(0.09, 0.12)
    body = _vessel([(r * 0.72, 0), (r * 0.8, h * 0.2), (r, h)], 0.004, paint=True)
    square = np.array(
        [
            (r * 0.86, 0, h * 0.25),
            (r + 0.026, 0, h * 0.27),
            (r + 0.032, 0, h * 0.5),
            (r + 0.03, 0, h * 0.74),
            (r * 0.93, 0, h * 0.8),
        ]
    )
    return Mesh((body, tube(square, 0.006, paint=True)))


def tumbler(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.03, 0.042), rng.uniform(0.09, 0.15)
    return Mesh((_vessel([(r * rng.uniform(0.75, 1), 0), (r, h)], 0.003, rgba=_tinted(rng)),))


def wine_glass(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.034, 0.044), rng.uniform(0.17, 0.22)
    s = h * 0.45
    profile = [
        (1e-4, 0),
        (r * 0.85, 0.002),
        (0.006, 0.012),
        (0.004, s),
        (r * 0.6, s + 0.02),
        (r, s + h * 0.25),
        (r * 0.85, h),
        (r * 0.82, h),
        (r * 0.95, s + h * 0.25),
        (r * 0.5, s + 0.025),
        (1e-4, s + 0.012),
    ]
    return Mesh((lathe(profile, rgba=_tinted(rng)),))


def _tinted(rng: np.random.Generator) -> tuple[float, float, float, float]:
    r, g, b, a = GLASS
    return (r * rng.uniform(0.85, 1.0), g * rng.uniform(0.95, 1.05), min(b * rng.uniform(0.95, 1.08), 1), a)


def bottle(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.03, 0.042), rng.uniform(0.2, 0.31)
    shoulder, neck = h * rng.uniform(0.55, 0.68), r * rng.uniform(0.3, 0.42)
    body = lathe(
        [
            (1e-4, 0),
            (r, 0.0),
            (r, shoulder),
            (r * 0.8, shoulder + h * 0.09),
            (neck, shoulder + h * 0.17),
            (neck, h * 0.94),
            (1e-4, h * 0.94),
        ],
        paint=True,
    )
    cap = cylinder(
        neck * 1.15, h * 0.07, at=(0, 0, h * 0.93), rgba=_choice(rng, (DARK, METAL, CREAM)), paint=False
    )
    parts = [body, cap]
    if rng.random() < 0.5:
        parts.append(_band(r * 1.015, shoulder * 0.3, shoulder * 0.75, rgba=CREAM, paint=False))
    return Mesh(tuple(parts))


def water_bottle(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.032, 0.04), rng.uniform(0.19, 0.26)
    body = lathe(
        [
            (1e-4, 0),
            (r, 0),
            (r, h * 0.35),
            (r * 0.9, h * 0.45),
            (r, h * 0.55),
            (r, h * 0.75),
            (r * 0.45, h * 0.88),
            (1e-4, h * 0.88),
        ],
        paint=True,
    )
    return Mesh(
        (
            body,
            cylinder(
                r * 0.5, h * 0.13, at=(0, 0, h * 0.87), rgba=_choice(rng, (DARK, CREAM, METAL)), paint=False
            ),
        )
    )


def flask(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.05, 0.06), rng.uniform(0.18, 0.24)
    angles = np.linspace(-1.3, 1.1, 12)
    globe = [(r * np.cos(a), r * np.sin(a) + r * 0.96) for a in angles]
    neck = r * 0.3
    return Mesh(
        (
            lathe([(1e-4, 0), *globe, (neck, 2 * r), (neck, h), (1e-4, h)], paint=True),
            cylinder(neck * 0.9, h * 0.08, at=(0, 0, h), rgba=(0.65, 0.5, 0.33, 1), paint=False),
        )
    )


def _band(radius: float, low: float, high: float, **material) -> Part:
    return lathe([(radius, low), (radius, high)], **material)


def bowl(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.075, 0.12), rng.uniform(0.05, 0.08)
    t = np.linspace(0.0, 1.0, 9)
    outer = [(r * (0.4 + 0.6 * np.sin(x * np.pi / 2)), h * x**1.6) for x in t]
    return Mesh((_vessel(outer, 0.005, paint=True),))


def deep_bowl(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.065, 0.09), rng.uniform(0.06, 0.085)
    foot = r * 0.45
    outer = [(foot, 0), (foot, 0.01), (r * 0.75, h * 0.35), (r * 0.95, h * 0.7), (r, h)]
    return Mesh((_vessel(outer, 0.005, paint=True),))


def flared_bowl(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.09, 0.13), rng.uniform(0.05, 0.075)
    return Mesh((_vessel([(r * 0.35, 0), (r * 0.4, 0.008), (r, h)], 0.004, paint=True),))


def plate(rng: np.random.Generator) -> Mesh:
    r = rng.uniform(0.09, 0.135)
    h = rng.uniform(0.015, 0.024)
    return Mesh(
        (
            lathe(
                [(1e-4, 0), (r * 0.6, 0), (r, h), (r, h + 0.003), (r * 0.62, 0.006), (1e-4, 0.006)],
                paint=True,
            ),
        )
    )


def rimmed_plate(rng: np.random.Generator) -> Mesh:
    r = rng.uniform(0.1, 0.14)
    h = rng.uniform(0.016, 0.022)
    inside = lathe(
        [(1e-4, 0), (r * 0.7, 0), (r * 0.95, h), (r * 0.95, h + 0.003), (r * 0.68, 0.006), (1e-4, 0.006)],
        paint=True,
    )
    rim = lathe(
        [(r * 0.94, h - 0.001), (r, h), (r, h + 0.004), (r * 0.94, h + 0.004)],
        rgba=_choice(rng, (CREAM, DARK)),
        paint=False,
    )
    return Mesh((inside, rim))


def square_plate(rng: np.random.Generator) -> Mesh:
    side = rng.uniform(0.17, 0.23)
    profile = [
        (1e-4, 0),
        (side * 0.45, 0),
        (side * 0.7, 0.016),
        (side * 0.7, 0.02),
        (side * 0.44, 0.006),
        (1e-4, 0.006),
    ]
    return Mesh((lathe(profile, segments=4, paint=True),))


def vase(rng: np.random.Generator) -> Mesh:
    h = rng.uniform(0.2, 0.36)
    belly, mouth, where = h * rng.uniform(0.22, 0.32), h * rng.uniform(0.1, 0.16), rng.uniform(0.35, 0.6)
    z = np.linspace(0, 1, 16)
    radius = np.interp(z, [0, where, 0.85, 1], [belly * 0.6, belly, mouth * 0.75, mouth])
    radius = np.convolve(np.pad(radius, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    return Mesh((_vessel(np.stack([radius, z * h], 1), 0.006, paint=True),))


def tall_vase(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.045, 0.065), rng.uniform(0.24, 0.36)
    return Mesh(
        (_vessel([(r * 0.7, 0), (r, h * 0.5), (r * 0.65, h * 0.85), (r * 1.1, h)], 0.006, paint=True),)
    )


def amphora(rng: np.random.Generator) -> Mesh:
    h = rng.uniform(0.22, 0.34)
    r = h * 0.3
    body = _vessel(
        [
            (r * 0.4, 0),
            (r * 0.5, h * 0.04),
            (r, h * 0.5),
            (r * 0.85, h * 0.7),
            (r * 0.38, h * 0.86),
            (r * 0.55, h),
        ],
        0.006,
        paint=True,
    )
    ears = [
        tube(arc(s * r * 0.62, h * 0.14, at=(s * r * 0.4, 0, h * 0.78)), h * 0.018, paint=True)
        for s in (-1, 1)
    ]
    return Mesh((body, *ears))


def plain_ball(rng: np.random.Generator) -> Mesh:
    r = rng.uniform(0.05, 0.11)
    return Mesh((ellipsoid(r, r, r, at=(0, 0, r), paint=True),))


def striped_ball(rng: np.random.Generator) -> Mesh:
    r = rng.uniform(0.06, 0.12)
    angles = np.linspace(-0.22, 0.22, 5)
    stripe = lathe(
        [(r * 1.006 * np.cos(a), r + r * 1.006 * np.sin(a)) for a in angles], rgba=CREAM, paint=False
    )
    return Mesh((ellipsoid(r, r, r, at=(0, 0, r), paint=True), stripe))


def loaf(rng: np.random.Generator) -> Mesh:
    length, width, height = rng.uniform(0.2, 0.28), rng.uniform(0.09, 0.12), rng.uniform(0.07, 0.1)
    crust = (rng.uniform(0.66, 0.78), rng.uniform(0.4, 0.48), rng.uniform(0.16, 0.24), 1)
    cuts = [
        ellipsoid(0.007, width * 0.26, 0.009, at=(x * length, 0, height * top), rgba=(0.95, 0.83, 0.6, 1))
        for x, top in ((-0.2, 0.925), (0.0, 0.972), (0.2, 0.925))
    ]
    return Mesh(
        (ellipsoid(length / 2, width / 2, height * 0.56, at=(0, 0, height * 0.42), rgba=crust), *cuts)
    )


def baguette(rng: np.random.Generator) -> Mesh:
    length, width = rng.uniform(0.35, 0.46), rng.uniform(0.055, 0.07)
    crust = (rng.uniform(0.74, 0.84), rng.uniform(0.5, 0.56), rng.uniform(0.22, 0.3), 1)
    cuts = [
        ellipsoid(0.02, width * 0.2, 0.005, at=(x * length, 0, width * top), rgba=(0.97, 0.86, 0.64, 1))
        for x, top in ((-0.28, 0.79), (-0.1, 0.86), (0.08, 0.865), (0.26, 0.8))
    ]
    return Mesh((ellipsoid(length / 2, width / 2, width * 0.45, at=(0, 0, width * 0.42), rgba=crust), *cuts))


def toast(rng: np.random.Generator) -> Mesh:
    length, width, height = rng.uniform(0.18, 0.24), rng.uniform(0.1, 0.12), rng.uniform(0.1, 0.12)
    crust, crumb = (0.62, 0.36, 0.15, 1), (0.96, 0.87, 0.68, 1)
    parts = [
        box(length, width, height * 0.75, rgba=crust),
        ellipsoid(length / 2, width * 0.56, height * 0.35, at=(0, 0, height * 0.72), rgba=crust),
    ]
    for i in range(3):
        parts.append(
            box(0.012, width * 0.92, height * 0.9, at=(-length / 2 - 0.012 - 0.022 * i, 0, 0), rgba=crumb)
        )
    return Mesh(tuple(parts))


def layer_cake(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.09, 0.13), rng.uniform(0.07, 0.11)
    dish = lathe([(1e-4, 0), (r * 1.2, 0), (r * 1.2, 0.008), (1e-4, 0.008)], rgba=CREAM, paint=False)
    base = cylinder(r, h, at=(0, 0, 0.008), paint=True)
    cream = cylinder(r * 1.01, h * 0.18, at=(0, 0, h * 0.45), rgba=CREAM, paint=False)
    berries = [
        ellipsoid(
            0.012,
            0.012,
            0.012,
            at=(r * 0.75 * np.cos(a), r * 0.75 * np.sin(a), h + 0.017),
            rgba=(0.8, 0.06, 0.1, 1),
            paint=False,
        )
        for a in np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ]
    return Mesh((dish, base, cream, *berries))


def candle_cake(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.08, 0.12), rng.uniform(0.06, 0.09)
    base = cylinder(r, h, paint=True)
    icing = lathe(
        [(r * 1.02, h * 0.7), (r * 1.03, h), (r, h * 1.06), (1e-4, h * 1.07)], rgba=CREAM, paint=False
    )
    candles = [
        cylinder(
            0.004,
            0.05,
            at=(r * 0.6 * np.cos(a), r * 0.6 * np.sin(a), h * 1.04),
            rgba=(0.9, 0.3, 0.5, 1),
            paint=False,
        )
        for a in np.linspace(0, 2 * np.pi, 6, endpoint=False)
    ]
    return Mesh((base, icing, *candles))


def _choice(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]
