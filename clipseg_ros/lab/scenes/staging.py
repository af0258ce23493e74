# SPDX-License-Identifier: Apache-2.0
"""Brings a stock's model into the state of a layout: objects and their paint, room, light, camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clipseg_ros.lab.scenes import colours
from clipseg_ros.lab.scenes.arrangement import Layout, Placement, Viewpoint
from clipseg_ros.lab.scenes.engine import mujoco
from clipseg_ros.lab.scenes.stock import HIDDEN, RUGS, SHOWN, Stock
from clipseg_ros.lab.scenes.vocabulary import CATEGORIES, COLOURS

_PAINT_SHARE = 0.8  # of the objects that may be painted
_SHARED_COLOUR = 0.25  # of them take the colour of another category's object
_LIT_CONE, _LIT_FALLOFF = 62, 1.2  # degrees from the lamp's axis, exponent of the cosine
_SPARE_LIGHT = 1.15  # makes up for what falls off
_WALL_HEIGHT = 3.2


def coloured(stock: Stock, plan: Layout, *, rng: np.random.Generator) -> tuple[Placement, ...]:
    """Placements with colours: instances of one category get different ones, others now and then share
    one, and nothing lies on a table of its own colour."""
    used: dict[str, set[str]] = {}
    result: list[Placement] = []
    for placement in plan.placements:
        item = stock.items[placement.item]
        colour = None
        under = {result[0].colour} if plan.kind == "table" and result else set()
        if CATEGORIES[item.category].paint and rng.random() < _PAINT_SHARE * (0.5 if item.surface else 1):
            seen = used.setdefault(item.category, set())
            elsewhere = sorted(set().union(*used.values()) - seen - under)
            colour = (
                str(rng.choice(elsewhere))
                if elsewhere and rng.random() < _SHARED_COLOUR
                else str(rng.choice([c for c in COLOURS if c not in seen | under]))
            )
            seen.add(colour)
        result.append(replace(placement, colour=colour))
    return tuple(result)


def place_items(stock: Stock, plan: Layout, *, rng: np.random.Generator) -> None:
    """Show the layout's objects where they stand, in their colours, and hide the others."""
    model = stock.model
    for item in stock.items:
        model.geom_group[[p.geom for p in item.pieces]] = HIDDEN
    for placement in plan.placements:
        item = stock.items[placement.item]
        model.body_pos[item.body] = placement.position
        model.body_quat[item.body] = [np.cos(placement.yaw / 2), 0, 0, np.sin(placement.yaw / 2)]
        base = np.array(colours.shade(placement.colour, rng)) if placement.colour else None
        for piece in item.pieces:
            model.geom_group[piece.geom] = SHOWN
            painted = base is not None and piece.painted
            model.geom_matid[piece.geom] = piece.bleached if painted else piece.natural
            model.geom_rgba[piece.geom] = (
                [*np.clip(base * rng.uniform(0.9, 1.06), 0, 1), 1.0] if painted else piece.rgba
            )


def furnish(stock: Stock, plan: Layout, *, rng: np.random.Generator) -> None:
    """Walls at the room's bounds, surfaces by chance, maybe a rug, a skirting board and pictures."""
    left, right, front, back = plan.room
    middle = ((left + right) / 2, (front + back) / 2)
    material = {k: int(rng.choice(ids)) for k, ids in stock.materials.items()}
    sheets = _Sheets(stock)
    sheets.put("floor", (*middle, 0.0), material=material["floor"])
    sheets.put("ceiling", (*middle, rng.uniform(2.4, 3.0)), tilt=np.pi, rgba=(0.93, 0.93, 0.92, 1))
    walls = ((middle[0], back), (right, middle[1]), (middle[0], front), (left, middle[1]))
    for i, place in enumerate(walls):
        position = (*place, _WALL_HEIGHT / 2)
        sheets.put(f"wall{i}", position, tilt=np.pi / 2, turn=-i * np.pi / 2, material=material["wall"])
    _decorate(sheets, plan, rng=rng)


def _decorate(sheets: _Sheets, plan: Layout, *, rng: np.random.Generator) -> None:
    left, right, _, back = plan.room
    grey = float(rng.uniform(0.2, 0.95))
    place = ((left + right) / 2, back - 0.012, 0.045)
    sheets.put("skirting", place, tilt=np.pi / 2, rgba=(grey, grey, grey, 1), shown=rng.random() < 0.5)
    rug = int(rng.integers(len(RUGS))) if plan.kind != "small" and rng.random() < 0.25 else None
    for i in range(len(RUGS)):
        place = (rng.normal(0, 0.3), rng.normal(-0.3, 0.4), 0.006)
        sheets.put(f"rug{i}", place, turn=rng.normal(0, 0.2), material=sheets.any("rug", rng), shown=i == rug)
    for i in range(2):
        place = (
            rng.uniform(left * 0.8, right * 0.8) + i * 0.01,
            back - 0.015 - 0.01 * i,
            rng.uniform(1.45, 1.8),
        )
        picture = sheets.any("picture", rng)
        sheets.put(f"picture{i}", place, tilt=np.pi / 2, material=picture, shown=rng.random() < 0.35)


class _Sheets:
    """The flat pieces of the room."""

    def __init__(self, stock: Stock):
        self._stock = stock

    def any(self, kind: str, rng: np.random.Generator) -> int:
        """A material of a kind, by chance."""
        return int(rng.choice(self._stock.materials[kind]))

    def put(
        self,
        name: str,
        position,
        *,
        tilt: float = 0.0,
        turn: float = 0.0,
        material: int | None = None,
        rgba=(1, 1, 1, 1),
        shown: bool = True,
    ) -> None:
        """Place a sheet: tilted about x, then turned about z, in radians."""
        model, geom = self._stock.model, self._stock.room[name]
        body = model.geom_bodyid[geom]
        quat = np.zeros(4)
        tilted = np.array([np.cos(tilt / 2), np.sin(tilt / 2), 0, 0])
        mujoco.mju_mulQuat(quat, np.array([np.cos(turn / 2), 0, 0, np.sin(turn / 2)]), tilted)
        model.body_pos[body], model.body_quat[body] = position, quat
        model.geom_rgba[geom] = rgba
        model.geom_group[geom] = SHOWN if shown else HIDDEN
        if material is not None:
            model.geom_matid[geom] = material


def light(stock: Stock, plan: Layout, *, rng: np.random.Generator) -> None:
    """Ambient light plus one or two lamps under the ceiling; most cast shadows. White hardly clips."""
    model = stock.model
    head = model.vis.headlight
    head.ambient[:] = rng.uniform(0.34, 0.52)
    head.diffuse[:] = rng.uniform(0.08, 0.3)
    head.specular[:] = 0.0
    budget = rng.uniform(1.0, 1.3) - head.ambient[0] - 0.8 * head.diffuse[0]
    shares = rng.dirichlet(np.full(int(rng.choice([1, 2], p=[0.55, 0.45])), 5.0))
    model.light_active[:] = np.arange(model.nlight) < len(shares)
    for i, share in enumerate(shares):
        _hang_lamp(stock, plan, number=i, brightness=budget * share * _SPARE_LIGHT, rng=rng)
        model.light_castshadow[i] = i == 0 and rng.random() < 0.75


def _hang_lamp(
    stock: Stock, plan: Layout, *, number: int, brightness: float, rng: np.random.Generator
) -> None:
    """A lamp above what is looked at, inside the room, so that walls and ceiling cast no shadow."""
    model = stock.model
    left, right, front, back = plan.room
    target = np.array(plan.view.target)
    x = np.clip(target[0] + rng.normal(0, 1.2), left + 0.1, right - 0.1)
    y = np.clip(target[1] - 0.5 + rng.normal(0, 1.2), front + 0.1, back - 0.1)
    position = np.array([x, y, rng.uniform(2.1, 2.38)])
    direction = target * [1, 1, rng.uniform(0.0, 1.0)] - position
    warmth = 1 + rng.uniform(-0.06, 0.06) * np.array([1, 0, -1.5])
    model.light_type[number] = int(mujoco.mjtLightType.mjLIGHT_SPOT)
    model.light_pos[number] = position
    model.light_dir[number] = direction / np.linalg.norm(direction)
    model.light_cutoff[number], model.light_exponent[number] = _LIT_CONE, _LIT_FALLOFF
    model.light_attenuation[number] = [1, 0, 0]
    model.light_diffuse[number] = brightness * warmth
    model.light_specular[number] = rng.uniform(0.0, 0.4)
    model.light_ambient[number] = 0.0


def move_camera(stock: Stock, view: Viewpoint) -> np.ndarray:
    """Set the model's camera; returns its pose (4, 4): optical frame (x right, y down, z forward) to room."""
    position, target = np.array(view.position), np.array(view.target)
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    right, up = (
        np.cos(view.roll) * right + np.sin(view.roll) * up,
        np.cos(view.roll) * up - np.sin(view.roll) * right,
    )
    model = stock.model
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([right, up, -forward], 1).ravel())
    model.cam_pos[0], model.cam_quat[0], model.cam_fovy[0] = position, quat, view.fovy
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.stack([right, -up, forward], 1), position
    return pose
