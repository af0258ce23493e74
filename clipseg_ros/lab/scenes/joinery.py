# SPDX-License-Identifier: Apache-2.0
"""Parametric furniture made of boards: tables, desks, stools, benches, beds, cabinets, bookcases, doors."""

from __future__ import annotations

import numpy as np

from clipseg_ros.lab.scenes.mesh import Mesh, Part
from clipseg_ros.lab.scenes.primitives import box, cylinder, ellipsoid

METAL = (0.62, 0.63, 0.66, 1.0)
DARK = (0.08, 0.08, 0.09, 1.0)
LINEN = (0.95, 0.94, 0.9, 1.0)
WOODS = ((0.72, 0.52, 0.32, 1.0), (0.52, 0.33, 0.18, 1.0), (0.85, 0.7, 0.5, 1.0), (0.35, 0.22, 0.13, 1.0))


def _choice(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def _legs(
    width: float, depth: float, height: float, side: float, *, round_legs: bool = False, **material
) -> list[Part]:
    x, y = (width - side) / 2, (depth - side) / 2
    places = [(sx * x, sy * y, 0) for sx in (-1, 1) for sy in (-1, 1)]
    if round_legs:
        return [cylinder(side / 2, height, at=p, **material) for p in places]
    return [box(side, side, height, at=p, **material) for p in places]


def table(rng: np.random.Generator, *, width=None, depth=None, height=None) -> Mesh:
    """A table of boards; sizes in metres are drawn when not given."""
    w, d = width or rng.uniform(0.9, 1.7), depth or rng.uniform(0.6, 0.95)
    h, t = height or rng.uniform(0.7, 0.78), rng.uniform(0.022, 0.04)
    wood = _choice(rng, WOODS)
    inset = rng.uniform(0.04, 0.1)
    legs = _legs(
        w - inset,
        d - inset,
        h - t,
        rng.uniform(0.045, 0.08),
        round_legs=rng.random() < 0.3,
        rgba=_choice(rng, (wood, DARK, METAL)),
        paint=None,
    )
    apron = [
        box(
            w - inset - 0.08,
            0.02,
            0.07,
            at=(0, s * (d - inset - 0.05) / 2, h - t - 0.07),
            rgba=wood,
            paint=True,
        )
        for s in (-1, 1)
    ]
    return Mesh((box(w, d, t, at=(0, 0, h - t), rgba=wood, paint=True), *legs, *apron))


def round_table(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.4, 0.65), rng.uniform(0.68, 0.76)
    wood = _choice(rng, WOODS)
    return Mesh(
        (
            cylinder(r, 0.03, at=(0, 0, h - 0.03), segments=40, rgba=wood, paint=True),
            cylinder(0.045, h - 0.04, at=(0, 0, 0.01), rgba=_choice(rng, (wood, DARK, METAL))),
            cylinder(r * 0.55, 0.025, rgba=_choice(rng, (wood, DARK, METAL))),
        )
    )


def desk(rng: np.random.Generator) -> Mesh:
    w, d, h, t = rng.uniform(1.1, 1.5), rng.uniform(0.55, 0.7), rng.uniform(0.72, 0.76), 0.028
    wood = _choice(rng, WOODS)
    chest = rng.uniform(0.34, 0.42)
    side = _choice(rng, (-1, 1))
    x = side * (w - chest) / 2
    parts = [
        box(w, d, t, at=(0, 0, h - t), rgba=wood, paint=True),
        box(chest, d * 0.95, h - t, at=(x, 0, 0), rgba=wood, paint=True),
        box(t, d * 0.95, h - t, at=(-side * (w - t) / 2, 0, 0), rgba=wood, paint=True),
        box(w, 0.015, h * 0.4, at=(0, d * 0.42, h * 0.55), rgba=wood, paint=True),
    ]
    parts += _drawers(chest, h - t, 3, at=(x, -d * 0.475), rng=rng)
    return Mesh(tuple(parts))


def trestle_desk(rng: np.random.Generator) -> Mesh:
    base = table(rng, width=rng.uniform(1.1, 1.5), depth=rng.uniform(0.55, 0.7), height=0.74)
    w, d, _ = base.size()
    wood = base.parts[0].rgba
    tray = [box(w * 0.86, d * 0.8, 0.1, at=(0, 0, 0.61), rgba=wood, paint=True)]
    shelf = [box(w, 0.2, 0.02, at=(0, d / 2 - 0.1, 0.98), rgba=wood, paint=True)]
    shelf += [
        box(0.02, 0.2, 0.25, at=(x * (w / 2 - 0.01), d / 2 - 0.1, 0.74), rgba=wood, paint=True)
        for x in (-1, 0, 1)
    ]
    return Mesh((*base.parts, *tray, *shelf, *_fronts(w * 0.86, 2, at=(0, -d * 0.4, 0.615), height=0.09)))


def _drawers(width: float, height: float, count: int, *, at, rng) -> list[Part]:
    x, y = at
    step = height / count
    front = (0.9, 0.88, 0.84, 1) if rng.random() < 0.4 else None
    parts = []
    for i in range(count):
        style = {"rgba": front, "paint": False} if front else {"paint": True}
        parts.append(box(width * 0.92, 0.016, step * 0.86, at=(x, y - 0.008, step * (i + 0.07)), **style))
        parts.append(
            box(width * 0.35, 0.02, 0.016, at=(x, y - 0.026, step * (i + 0.55)), rgba=METAL, paint=False)
        )
    return parts


def _fronts(width: float, count: int, *, at, height: float) -> list[Part]:
    x, y, z = at
    step = width / count
    return [
        p
        for i in range(count)
        for p in (
            box(step * 0.94, 0.012, height, at=(x + (i - (count - 1) / 2) * step, y - 0.006, z), paint=True),
            box(
                0.08,
                0.016,
                0.012,
                at=(x + (i - (count - 1) / 2) * step, y - 0.02, z + height * 0.5),
                rgba=METAL,
                paint=False,
            ),
        )
    ]


def stool(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.15, 0.19), rng.uniform(0.42, 0.7)
    wood = _choice(rng, WOODS)
    legs = _legs(r * 1.45, r * 1.45, h - 0.04, 0.032, round_legs=True, rgba=_choice(rng, (wood, METAL, DARK)))
    rungs = [box(r * 1.3, 0.018, 0.018, at=(0, s * r * 0.63, h * 0.35), rgba=wood) for s in (-1, 1)]
    return Mesh((cylinder(r, 0.045, at=(0, 0, h - 0.045), rgba=wood, paint=True), *legs, *rungs))


def square_stool(rng: np.random.Generator) -> Mesh:
    s, h = rng.uniform(0.3, 0.38), rng.uniform(0.42, 0.6)
    wood = _choice(rng, WOODS)
    return Mesh(
        (
            box(s, s, 0.07, at=(0, 0, h - 0.07), paint=True),
            *_legs(s, s, h - 0.07, 0.036, rgba=wood, paint=False),
        )
    )


def pouf_stool(rng: np.random.Generator) -> Mesh:
    r, h = rng.uniform(0.17, 0.2), rng.uniform(0.6, 0.75)
    return Mesh(
        (
            cylinder(r * 1.05, 0.015, rgba=METAL, paint=False),
            cylinder(0.025, h - 0.08, rgba=METAL, paint=False),
            cylinder(r, 0.07, at=(0, 0, h - 0.09), paint=True),
            ellipsoid(r, r, 0.03, at=(0, 0, h - 0.02), paint=True),
        )
    )


def bench(rng: np.random.Generator) -> Mesh:
    w, d, h = rng.uniform(1.1, 1.7), rng.uniform(0.3, 0.4), rng.uniform(0.42, 0.48)
    wood = _choice(rng, WOODS)
    return Mesh(
        (
            box(w, d, 0.045, at=(0, 0, h - 0.045), rgba=wood, paint=True),
            *_legs(w * 0.94, d, h - 0.045, 0.06, rgba=wood, paint=True),
            box(w * 0.85, 0.03, 0.06, at=(0, 0, h * 0.35), rgba=wood, paint=True),
        )
    )


def slatted_bench(rng: np.random.Generator) -> Mesh:
    w, h = rng.uniform(1.2, 1.6), 0.45
    wood, iron = _choice(rng, WOODS), _choice(rng, (DARK, METAL))
    seat = [
        box(w, 0.085, 0.03, at=(0, y, h - 0.03), rgba=wood, paint=True) for y in (-0.17, -0.06, 0.05, 0.16)
    ]
    back = [box(w, 0.03, 0.085, at=(0, 0.225, z), rgba=wood, paint=True) for z in (0.56, 0.68, 0.8)]
    frame = [
        p
        for x in (-0.4, 0.4)
        for p in (
            box(0.05, 0.44, 0.03, at=(x * w, 0, h - 0.06), rgba=iron, paint=False),
            box(0.05, 0.04, h - 0.03, at=(x * w, -0.19, 0), rgba=iron, paint=False),
            box(0.05, 0.04, 0.9, at=(x * w, 0.205 - 0.01, 0), rgba=iron, paint=False),
        )
    ]
    return Mesh((*seat, *back, *frame))


def box_bench(rng: np.random.Generator) -> Mesh:
    w, d, h = rng.uniform(0.9, 1.3), rng.uniform(0.34, 0.42), rng.uniform(0.43, 0.48)
    wood = _choice(rng, WOODS)
    ends = [box(0.04, d, h - 0.07, at=(s * (w - 0.06) / 2, 0, 0), rgba=wood, paint=False) for s in (-1, 1)]
    return Mesh(
        (
            *ends,
            box(w, d, 0.03, at=(0, 0, h - 0.1), rgba=wood, paint=False),
            box(w, d, 0.07, at=(0, 0, h - 0.07), paint=True),
        )
    )


def bed(rng: np.random.Generator, *, canopy: bool = False) -> Mesh:
    w, d, h = rng.uniform(0.95, 1.7), rng.uniform(1.95, 2.1), rng.uniform(0.22, 0.3)
    wood = _choice(rng, (*WOODS, DARK, (0.92, 0.92, 0.9, 1)))
    head = rng.uniform(0.75, 1.05)
    parts = [
        box(w, d, h, rgba=wood, paint=False),
        box(w + 0.04, 0.06, head, at=(0, d / 2 + 0.03, 0), rgba=wood, paint=False),
        box(w * 0.97, d * 0.98, 0.16, at=(0, 0, h), rgba=LINEN, paint=False),
        box(w * 1.01, d * 0.72, 0.13, at=(0, -d * 0.13, h + 0.06), paint=True),
    ]
    count = 2 if w > 1.25 else 1
    parts += [
        ellipsoid(
            w * 0.4 / count,
            0.2,
            0.075,
            at=((i - (count - 1) / 2) * w * 0.46, d * 0.36, h + 0.19),
            rgba=LINEN,
            paint=False,
        )
        for i in range(count)
    ]
    if canopy:
        parts += _legs(w + 0.04, d + 0.04, 1.9, 0.05, rgba=wood, paint=False)
    else:
        parts.append(
            box(
                w + 0.04, 0.05, h + rng.uniform(0.05, 0.28), at=(0, -d / 2 - 0.025, 0), rgba=wood, paint=False
            )
        )
    return Mesh(tuple(parts))


def canopy_bed(rng: np.random.Generator) -> Mesh:
    return bed(rng, canopy=True)


def chest_of_drawers(rng: np.random.Generator) -> Mesh:
    w, d, h = rng.uniform(0.7, 1.2), rng.uniform(0.42, 0.52), rng.uniform(0.75, 1.1)
    wood = _choice(rng, WOODS)
    body = [
        box(w, d, h, rgba=wood, paint=True),
        box(w + 0.03, d + 0.02, 0.025, at=(0, 0, h), rgba=wood, paint=True),
    ]
    return Mesh((*body, *_recoloured(_drawers(w, h, int(rng.integers(3, 6)), at=(0, -d / 2), rng=rng), wood)))


def wardrobe(rng: np.random.Generator) -> Mesh:
    w, d, h = rng.uniform(0.9, 1.6), rng.uniform(0.52, 0.6), rng.uniform(1.75, 2.1)
    wood = _choice(rng, WOODS)
    count = 2 if w < 1.25 else 3
    parts = [box(w, d, h, rgba=wood, paint=True)]
    for i in range(count):
        x = (i - (count - 1) / 2) * w / count
        parts.append(
            box(w / count * 0.96, 0.02, h * 0.94, at=(x, -d / 2 - 0.01, h * 0.04), rgba=wood, paint=True)
        )
        parts.append(
            box(
                0.018,
                0.035,
                0.16,
                at=(x + w / count * (0.4 if i % 2 == 0 else -0.4), -d / 2 - 0.035, h * 0.48),
                rgba=METAL,
                paint=False,
            )
        )
    return Mesh(tuple(parts))


def sideboard(rng: np.random.Generator) -> Mesh:
    w, d, h = rng.uniform(1.2, 1.7), rng.uniform(0.4, 0.48), rng.uniform(0.55, 0.65)
    wood = _choice(rng, WOODS)
    body = [
        p.moved((0, 0, 0.14))
        for p in (
            box(w, d, h, rgba=wood, paint=True),
            *_recoloured(_fronts(w, 3, at=(0, -d / 2, 0.03), height=h - 0.06), wood),
        )
    ]
    return Mesh((*body, *_legs(w * 0.9, d * 0.8, 0.14, 0.04, rgba=DARK, paint=False)))


def _recoloured(parts: list[Part], rgba) -> list[Part]:
    return [Part(p.vertices, p.faces, rgba, paint=True) if p.paint else p for p in parts]


def bookcase(rng: np.random.Generator, *, back: bool = True) -> Mesh:
    w, d, h, t = rng.uniform(0.7, 1.1), rng.uniform(0.26, 0.34), rng.uniform(1.2, 2.0), 0.024
    wood = _choice(rng, WOODS)
    board = {"rgba": wood, "paint": True}
    count = int(rng.integers(4, 6))
    parts = [box(t, d, h, at=(s * (w - t) / 2, 0, 0), **board) for s in (-1, 1)]
    if back:
        parts.append(box(w, 0.012, h, at=(0, d / 2 - 0.006, 0), **board))
    for i in range(count):
        z = 0.05 + (h - 0.05 - t) * i / (count - 1)
        parts.append(box(w - 2 * t, d - 0.014, t, at=(0, -0.006, z), **board))
        if i < count - 1:
            parts += _row_of_books(w - 2 * t - 0.02, d, z + t, (h - 0.05) / (count - 1) - t, rng=rng)
    return Mesh(tuple(parts))


def open_bookcase(rng: np.random.Generator) -> Mesh:
    return bookcase(rng, back=False)


def _row_of_books(width: float, depth: float, z: float, room: float, *, rng) -> list[Part]:
    """Books standing on a shelf, merged into a few colours to keep the number of parts small."""
    palette = rng.uniform(0.12, 0.85, (4, 3))
    by_colour: list[list[Part]] = [[] for _ in palette]
    x, end = -width / 2, -width / 2 + width * rng.uniform(0.45, 1.0)
    while True:
        t = rng.uniform(0.018, 0.045)
        if x + t > end:
            break
        b = box(t * 0.94, depth * 0.62, room * rng.uniform(0.6, 0.88), at=(x + t / 2, -depth * 0.05, z))
        by_colour[int(rng.integers(len(palette)))].append(b)
        x += t
    return [_merged(group, (*colour, 1.0)) for group, colour in zip(by_colour, palette) if group]


def _merged(parts: list[Part], rgba) -> Part:
    vertices = np.concatenate([p.vertices for p in parts])
    faces = np.concatenate([p.faces + 36 * i for i, p in enumerate(parts)])
    return Part(vertices, faces.astype(np.int32), rgba, paint=False)


def panel_door(rng: np.random.Generator) -> Mesh:
    w, h = rng.uniform(0.78, 0.92), rng.uniform(1.98, 2.08)
    frame_colour = _choice(rng, ((0.9, 0.89, 0.86, 1), *WOODS))
    frame = [
        box(0.07, 0.12, h + 0.06, at=(s * (w / 2 + 0.035), 0, 0), rgba=frame_colour, paint=False)
        for s in (-1, 1)
    ]
    frame.append(box(w + 0.14, 0.12, 0.07, at=(0, 0, h), rgba=frame_colour, paint=False))
    panels = [
        box(w * 0.34, 0.02, ph, at=(s * w * 0.21, -0.03, z), paint=True, rgba=(0.7, 0.7, 0.7, 1))
        for s in (-1, 1)
        for z, ph in ((0.2, h * 0.3), (0.2 + h * 0.36, h * 0.45))
    ]
    return Mesh((*frame, box(w, 0.05, h, paint=True), *panels, *_door_handle(w)))


def plain_door(rng: np.random.Generator) -> Mesh:
    w, h = rng.uniform(0.78, 0.92), rng.uniform(1.98, 2.08)
    frame_colour = _choice(rng, ((0.9, 0.89, 0.86, 1), *WOODS))
    frame = [
        box(0.08, 0.14, h + 0.08, at=(s * (w / 2 + 0.04), 0, 0), rgba=frame_colour, paint=False)
        for s in (-1, 1)
    ]
    frame.append(box(w + 0.16, 0.14, 0.08, at=(0, 0, h), rgba=frame_colour, paint=False))
    return Mesh((*frame, box(w, 0.05, h, paint=True), *_door_handle(w)))


def _door_handle(width: float) -> list[Part]:
    return [
        box(0.05, 0.012, 0.2, at=(width * 0.42, -0.031, 0.92), rgba=METAL, paint=False),
        box(0.13, 0.022, 0.024, at=(width * 0.37, -0.07, 1.03), rgba=METAL, paint=False),
        box(0.024, 0.05, 0.024, at=(width * 0.42, -0.05, 1.03), rgba=METAL, paint=False),
    ]
