# SPDX-License-Identifier: Apache-2.0
"""A camera that goes about a room of the simulated home: things on a table in the middle, furniture along the walls.

Room frame: z up, in metres; the table stands at the origin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from clipseg_ros.lab.scenes import staging
from clipseg_ros.lab.scenes.arrangement import Layout, Placement, Viewpoint, aim, arrange, corners, overlap
from clipseg_ros.lab.scenes.home import Home
from clipseg_ros.lab.scenes.scene import Scene
from clipseg_ros.lab.scenes.stock import Item
from clipseg_ros.perception.transforms import Transform

FRAMES = 60
_DOWN = 0.4  # of the frames look down at the table
_AISLE = 1.1  # metres between the table and the furniture
_FURNITURE, _FEWEST_THINGS = 7, 4
_FOVY, _ASPECT = 56.0, 4 / 3
_TO_WALL = 0.15  # metres that the camera keeps from a wall
_GAP = 0.2  # metres between pieces of furniture
_SMALLEST = 0.4  # metres that furniture measures
_FAR = 0.25  # metres by which a thing is moved, at least
_TRIES = 200


class Room:
    """One furnished room of a home, which is set up in it until another one is.

    Parameters
    ----------
    home : draws it
    seed : decides what stands where, and how it looks
    """

    def __init__(self, home: Home, seed: int) -> None:
        self._home, self._seed = home, seed
        rng = np.random.default_rng([seed, 41])
        plan = _furnished(home.stock.items, rng)
        self.plan = replace(plan, placements=staging.coloured(home.stock, plan, rng=rng))

    def tour(self, frames: int = FRAMES) -> Iterator[Scene]:
        """What the camera sees on its way through the room, with the truth about it."""
        self._home.set_up(self.plan, np.random.default_rng([self._seed, 43]))
        for view in way(self.plan, self._home.stock.items, frames, np.random.default_rng([self._seed, 47])):
            yield self._home.render(replace(self.plan, view=view), seed=self._seed)

    def rearrange(self) -> tuple[Placement, Placement]:
        """Move one of the things on the table to another place on it; returns it before and after.

        Raises ValueError where there is no room for it anywhere else.
        """
        rng = np.random.default_rng([self._seed, 53])
        items, things = self._home.stock.items, _things(self.plan)
        for one in [things[index] for index in rng.permutation(len(things))]:
            others = [other for other in things if other is not one]
            for _ in range(_TRIES):
                place = np.array(self.plan.placements[0].position[:2]) + rng.uniform(-0.6, 0.6, 2)
                moved = replace(one, position=(*place.tolist(), one.position[2]))
                far = np.linalg.norm(place - one.position[:2]) > _FAR
                if far and _on_top(items, moved, self.plan.placements[0]) and _is_free(items, moved, others):
                    placements = tuple(moved if other is one else other for other in self.plan.placements)
                    self.plan = replace(self.plan, placements=placements)
                    return one, moved
        raise ValueError(f"nothing can be moved in the room of seed {self._seed}; take another seed")


def shaken(pose: np.ndarray, rng: np.random.Generator, *, metres: float = 0.01, degrees: float = 1.0) -> np.ndarray:
    """A camera's pose (4, 4) with noise of these lengths in a direction, and about an axis, by chance."""
    step, axis = (vector / np.linalg.norm(vector) for vector in rng.standard_normal((2, 3)))
    half = np.radians(degrees) / 2
    turn = Transform.from_quaternion(step * metres, [*np.sin(half) * axis, np.cos(half)])
    noisy = pose.copy()
    noisy[:3, :3] = turn.matrix @ pose[:3, :3]
    noisy[:3, 3] += turn.translation
    return noisy


def way(plan: Layout, items: Sequence[Item], frames: int, rng: np.random.Generator) -> list[Viewpoint]:
    """The camera's viewpoints: once round the table, looking down at the things on it, then along the walls."""
    middle, start = _things(plan), rng.uniform(0, 2 * np.pi)
    furniture = sorted(plan.placements[1 + len(middle):], key=lambda one: np.arctan2(*one.position[:2]))
    down = round(_DOWN * frames)
    views = []
    for index in range(down):
        views.append(aim([(items[one.item].size, one) for one in middle], rng, azimuth=start + 2 * np.pi * index / down,
                         pitch=rng.uniform(0.4, 0.8), fovy=_FOVY, aspect=_ASPECT, fit=(0.8, 1.1),
                         heights=(middle[0].position[2] + 0.12, 2.0)))
    for index in range(frames - down):
        one = furniture[index * len(furniture) // (frames - down)]
        view = aim([(items[one.item].size, one)], rng, azimuth=rng.uniform(-0.6, 0.6) - one.yaw,
                   pitch=rng.uniform(0.1, 0.45), fovy=_FOVY, aspect=_ASPECT, fit=(0.95, 1.4), heights=(0.6, 1.7))
        views.append(_inside(view, plan.room))
    return views


def _inside(view: Viewpoint, room: tuple[float, float, float, float]) -> Viewpoint:
    """The view from as far back as the room's walls allow."""
    position, target = np.array(view.position), np.array(view.target)
    low, high = np.array([room[0], room[2]]) + _TO_WALL, np.array([room[1], room[3]]) - _TO_WALL
    back = (position - target)[:2]
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(back > 0, (high - target[:2]) / back, np.where(back < 0, (low - target[:2]) / back, np.inf))
    share = float(np.clip(reach.min(), 0.2, 1.0))
    return replace(view, position=tuple((target + share * (position - target)).tolist()))


def _furnished(items: Sequence[Item], rng: np.random.Generator) -> Layout:
    """A table with things, and furniture with its back to the walls."""
    plan = arrange(items, rng, kind="table")
    while len(_things(plan)) < _FEWEST_THINGS:
        plan = arrange(items, rng, kind="table")
    half = np.array(_reach(items, plan) + _AISLE) + rng.uniform(0.5, 0.9, 2)
    pool = [index for index, item in enumerate(items) if item.floor and not item.surface and max(item.size) > _SMALLEST]
    placed: list[Placement] = []
    for index in rng.permutation(pool)[:_FURNITURE].tolist():
        for _ in range(_TRIES):
            one = _at_wall(items[index], index, half, int(rng.integers(4)), rng.uniform(-1, 1))
            if _is_free(items, one, placed, gap=_GAP):
                placed.append(one)
                break
    room = (-half[0], half[0], -half[1], half[1])
    return replace(plan, placements=(*plan.placements, *placed), room=tuple(float(side) for side in room))


def _at_wall(item: Item, index: int, half: np.ndarray, wall: int, along: float) -> Placement:
    """An item before one of the four walls of a room of these half sides (2,), at a share of -1 to 1 along it."""
    turn = wall * np.pi / 2
    across, side = (half[0], half[1]) if wall % 2 == 0 else (half[1], half[0])
    local = np.array([along * (across - item.size[0] / 2 - 0.05), side - item.size[1] / 2 - 0.03])
    c, s = np.cos(turn), np.sin(turn)
    return Placement(index, (float(c * local[0] - s * local[1]), float(s * local[0] + c * local[1]), 0.0), float(turn))


def _things(plan: Layout) -> list[Placement]:
    """Those on the table."""
    return [one for one in plan.placements if one.position[2] > 0]


def _reach(items: Sequence[Item], plan: Layout) -> float:
    """Metres from the origin to the corners of the table."""
    return float(np.hypot(*items[plan.placements[0].item].size[:2]) / 2)


def _is_free(items: Sequence[Item], one: Placement, others: Sequence[Placement], gap: float = 0.03) -> bool:
    quad = corners(items[one.item].size, one.position, yaw=one.yaw, margin=gap)
    return not any(overlap(quad, corners(items[other.item].size, other.position, yaw=other.yaw)) for other in others)


def _on_top(items: Sequence[Item], one: Placement, table: Placement) -> bool:
    """Whether a thing stands on the largest circle or rectangle that fits any table of this size."""
    quad = corners(items[one.item].size, one.position, yaw=one.yaw, margin=0.03) - np.array(table.position[:2])
    c, s = np.cos(table.yaw), np.sin(table.yaw)
    half = np.array(items[table.item].size[:2]) / 2
    local = quad @ np.array([[c, -s], [s, c]])
    return bool((np.abs(local) < half).all() and (np.hypot(*(local / half).T) < 1).all())
