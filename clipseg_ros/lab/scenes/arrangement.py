# SPDX-License-Identifier: Apache-2.0
"""Arranging objects: which, where and how turned, so that none overlap and a camera sees them. Pure geometry.

Room frame: z up, the back wall towards +y; angles in radians, lengths in metres.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clipseg_ros.lab.scenes.vocabulary import CATEGORIES

_SAME_CATEGORY = 0.35
_MAY_LEAN = ("sofa", "bed", "desk", "bench")  # against a wall
_OFTEN = {
    "chair": 2.0,
    "sofa": 2.0,
    "armchair": 1.5,
    "bed": 1.6,
    "table": 0.8,
    "desk": 1.3,
    "box": 0.6,
    "teddy bear": 0.8,
    "cup": 1.5,
    "glass": 1.2,
    "bowl": 1.3,
    "plate": 1.3,
    "bottle": 1.2,
}
_LARGE = 0.5  # an object longer than this is furniture, not something to pick up


@dataclass(frozen=True)
class Placement:
    """Where an item of the stock stands: its index, position (3,), yaw, colour's name or None (its own)."""

    item: int
    position: tuple[float, float, float]
    yaw: float
    colour: str | None = None


@dataclass(frozen=True)
class Viewpoint:
    """A camera: position (3,), the point (3,) it looks at, roll, vertical field of view in degrees."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    roll: float
    fovy: float

    def swung(self, angle: float) -> Viewpoint:
        """The view from a camera that went round the target by an angle in radians, at the same height."""
        offset = np.subtract(self.position, self.target)
        c, s = np.cos(angle), np.sin(angle)
        turned = np.array([c * offset[0] - s * offset[1], s * offset[0] + c * offset[1], offset[2]])
        return replace(self, position=tuple((np.array(self.target) + turned).tolist()))


@dataclass(frozen=True)
class Layout:
    """Placements, camera, walls (x low, x high, y low, y high) and the kind of scene."""

    placements: tuple[Placement, ...]
    view: Viewpoint
    room: tuple[float, float, float, float]
    kind: str


def corners(size, position, *, yaw: float, margin: float = 0.0) -> np.ndarray:
    """(4, 2) footprint of a box of size (3,) at a position, turned by yaw."""
    x, y = size[0] / 2 + margin, size[1] / 2 + margin
    c, s = np.cos(yaw), np.sin(yaw)
    rotation = np.array([[c, -s], [s, c]])
    return np.array([[-x, -y], [x, -y], [x, y], [-x, y]]) @ rotation.T + np.asarray(position)[:2]


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two convex quadrilaterals (4, 2) intersect, by the separating axis theorem."""
    for quad in (a, b):
        edges = np.roll(quad, -1, axis=0) - quad
        for axis in np.stack([-edges[:, 1], edges[:, 0]], 1)[:2]:
            p, q = a @ axis, b @ axis
            if p.max() <= q.min() or q.max() <= p.min():
                return False
    return True


def arrange(items, rng: np.random.Generator, *, kind: str, aspect: float = 4 / 3) -> Layout:
    """A layout of one kind: 'floor' furniture, 'small' things on the floor, 'table' things on a table."""
    chosen = _choose(items, rng, kind)
    azimuth = rng.uniform(-0.75, 0.75) if kind != "table" else rng.uniform(-np.pi, np.pi)
    work = _Arrangement(items, rng, azimuth, aspect)
    return work.on_table(chosen) if kind == "table" else work.on_floor(chosen, small=kind == "small")


def _choose(items, rng: np.random.Generator, kind: str) -> list[int]:
    """Indices of the items of a scene; a category may come twice, an item does not."""
    if kind == "table":
        pool = [i for i, item in enumerate(items) if item.table]
        count = int(rng.choice([1, 2, 3, 4, 5, 6, 7], p=[0.04, 0.1, 0.2, 0.25, 0.2, 0.13, 0.08]))
    elif kind == "small":
        pool = [i for i, item in enumerate(items) if item.floor and max(item.size) < 0.75]
        count = int(rng.choice([2, 3, 4, 5], p=[0.25, 0.3, 0.3, 0.15]))
    else:
        pool = [i for i, item in enumerate(items) if item.floor and max(item.size) >= _LARGE]
        count = int(rng.choice([1, 2, 3, 4, 5], p=[0.1, 0.22, 0.3, 0.25, 0.13]))
    by_category: dict[str, list[int]] = {}
    for i in pool:
        by_category.setdefault(items[i].category, []).append(i)
    anchor = max(items[int(rng.choice(pool))].size)
    chosen: list[int] = []
    for _ in range(20 * count):
        if len(chosen) == count:
            break
        again = chosen and rng.random() < _SAME_CATEGORY
        category = (
            items[chosen[int(rng.integers(len(chosen)))]].category if again else _draw(by_category, rng)
        )
        left = [i for i in by_category[category] if i not in chosen]
        candidate = int(rng.choice(left)) if left else None
        if candidate is not None and rng.random() < _companion(max(items[candidate].size), anchor):
            chosen.append(candidate)
    return chosen


def _draw(categories, rng: np.random.Generator) -> str:
    names = list(categories)
    weights = np.array([_OFTEN.get(n, 1.0) for n in names])
    return str(rng.choice(names, p=weights / weights.sum()))


def _companion(size: float, anchor: float) -> float:
    """How likely a thing of one size stands with things of another, so that one picture shows both well."""
    return float(np.exp(-((np.log(size / anchor) / 0.6) ** 2))) + 0.03


def aim(
    boxes, rng: np.random.Generator, *, azimuth: float, pitch: float, fovy: float, aspect: float, heights, fit
) -> Viewpoint:
    """A camera along azimuth and pitch that holds what is shown, more or less tightly.

    boxes : the size (3,) of each thing, and its Placement
    heights : lowest and highest of the camera; the pitch gives way
    fit : least and largest share of the distance from which just all of it is seen
    """
    points = np.concatenate([_box_corners(size, placement) for size, placement in boxes])
    target = (points.min(0) + points.max(0)) / 2
    half = np.array([np.tan(np.radians(fovy / 2)) * aspect, np.tan(np.radians(fovy / 2))])
    level = np.array([np.sin(azimuth), np.cos(azimuth)])
    right = np.array([level[1], -level[0], 0.0])
    for _ in range(6):
        forward = np.array([*(level * np.cos(pitch)), -np.sin(pitch)])
        up = np.cross(right, forward)
        offsets = points - target
        sideways, upwards = np.abs(offsets @ right) / half[0], np.abs(offsets @ up) / half[1]
        need = np.maximum(sideways, upwards) - offsets @ forward
        distance = max(float(need.max()) * rng.uniform(*fit), 0.3)
        height = target[2] + distance * np.sin(pitch)
        if heights[0] <= height <= heights[1]:
            break
        sine = (np.clip(height, *heights) - target[2]) / distance
        pitch = float(np.arcsin(np.clip(sine, -0.5, 0.97)))
    jitter = rng.normal(0, 0.05, 2) * distance * half
    target = target + right * jitter[0] + up * jitter[1]
    position = target - forward * distance
    roll = float(rng.normal(0, 0.025))
    return Viewpoint(tuple(position.tolist()), tuple(target.tolist()), roll, float(fovy))


class _Arrangement:
    """A layout in the making, seen along an azimuth by a camera with an aspect ratio of width to height."""

    def __init__(self, items, rng: np.random.Generator, azimuth: float, aspect: float):
        self.items, self.rng, self.azimuth, self.aspect = items, rng, azimuth, aspect
        self.forward = np.array([np.sin(azimuth), np.cos(azimuth)])
        self.placed: list[Placement] = []

    def on_floor(self, chosen: list[int], *, small: bool) -> Layout:
        """Free-standing objects in the middle, others along the back wall."""
        items, rng = self.items, self.rng
        against = [] if small else [i for i in chosen if self._wants_a_wall(i)]
        free = [i for i in chosen if i not in against]
        if not small:
            free += self._extras(chosen)
        spread = 0.5 * np.sqrt(sum(_room_for(items[i], 0.1) for i in free) + 0.02)
        for i in sorted(free, key=lambda k: -items[k].size[2]):
            yaw = self._facing() if max(items[i].size) > _LARGE else rng.uniform(-np.pi, np.pi)
            self._place(i, yaw, spread=spread, gap=0.02 if small else 0.06)
        back = max((c[1] for q in self._quads() for c in q), default=0.0)
        back += rng.uniform(0.05, 0.5)
        back += max([items[i].size[1] for i in against], default=rng.uniform(0.0, 1.5))
        self._line_up(against, back)
        fovy = rng.uniform(42, 62)
        pitch = rng.uniform(0.35, 0.95) if small else rng.uniform(0.06, 0.5)
        view = self._aim(self.placed, pitch=pitch, fovy=fovy, heights=(0.25, 1.7), fit=(0.74, 1.05))
        return Layout(tuple(self.placed), view, self._room(view, back), "small" if small else "floor")

    def on_table(self, chosen: list[int]) -> Layout:
        """Objects close together somewhere on a table."""
        items, rng = self.items, self.rng
        table = int(rng.choice([i for i, item in enumerate(items) if item.surface]))
        turn = rng.uniform(-np.pi, np.pi)
        top = _Top(items[table], turn)
        self.placed.append(Placement(table, (0.0, 0.0, 0.0), float(turn)))
        spread = 0.55 * np.sqrt(sum(_room_for(items[i], 0.03) for i in chosen))
        centre = top.point(rng.uniform(-1, 1, 2), margin=min(spread, 0.3) + 0.05)
        for i in sorted(chosen, key=lambda k: -items[k].size[2]):
            self._place(i, rng.uniform(-np.pi, np.pi), spread=spread, gap=0.012, centre=centre, top=top)
        pitch, fovy = rng.uniform(0.3, 1.05), rng.uniform(42, 60)
        shown = self.placed[1:] or self.placed
        view = self._aim(shown, pitch=pitch, fovy=fovy, heights=(top.height + 0.12, 2.2), fit=(0.7, 1.0))
        back = max(c[1] for q in self._quads() for c in q) + rng.uniform(0.02, 1.8)
        return Layout(tuple(self.placed), view, self._room(view, back), "table")

    def _wants_a_wall(self, index: int) -> bool:
        category = self.items[index].category
        return CATEGORIES[category].wall or (category in _MAY_LEAN and self.rng.random() < 0.5)

    def _extras(self, chosen) -> list[int]:
        """Now and then a smaller thing between the furniture."""
        pool = [
            i
            for i, item in enumerate(self.items)
            if item.floor and 0.2 < max(item.size) < _LARGE * 1.4 and i not in chosen
        ]
        if not pool or self.rng.random() > 0.35:
            return []
        return [int(self.rng.choice(pool))]

    def _facing(self) -> float:
        """Mostly turned towards the camera, sometimes anyhow."""
        rng = self.rng
        return -self.azimuth + (rng.normal(0, 0.7) if rng.random() < 0.8 else rng.uniform(-np.pi, np.pi))

    def _quads(self) -> list[np.ndarray]:
        return [self._quad(p) for p in self.placed]

    def _quad(self, placement: Placement) -> np.ndarray:
        return corners(self.items[placement.item].size, placement.position, yaw=placement.yaw)

    def _place(
        self, index: int, yaw: float, *, spread: float, gap: float, centre=(0.0, 0.0), top=None
    ) -> None:
        """Add a placement that overlaps nothing and hides little, within a growing disc; none in vain."""
        size, height = self.items[index].size, 0.0 if top is None else top.height
        for attempt in range(40):
            radius = spread * np.sqrt(self.rng.random()) * (1 + attempt / 12)
            angle = self.rng.uniform(0, 2 * np.pi)
            position = (centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle), height)
            if top is not None and not top.holds(corners(size, position, yaw=yaw, margin=0.015)):
                continue
            quad = corners(size, position, yaw=yaw, margin=gap)
            others = [p for p in self.placed if abs(p.position[2] - height) < 1e-6]
            if any(overlap(quad, self._quad(p)) for p in others):
                continue
            if attempt < 30 and any(self._hides(p, index, position) for p in others):
                continue
            self.placed.append(Placement(index, tuple(float(v) for v in position), float(yaw)))
            return

    def _hides(self, other: Placement, index: int, position) -> bool:
        """Whether one of two objects stands before the other and hides most of it, seen level."""
        a, b = np.asarray(position)[:2], np.asarray(other.position)[:2]
        size_a, size_b = self.items[index].size, self.items[other.item].size
        side = np.array([self.forward[1], -self.forward[0]])
        half_a, half_b = max(size_a[:2]) / 2, max(size_b[:2]) / 2
        shared = min(a @ side + half_a, b @ side + half_b) - max(a @ side - half_a, b @ side - half_b)
        behind_is_a = a @ self.forward > b @ self.forward
        behind, front = (size_a, size_b) if behind_is_a else (size_b, size_a)
        return shared > (half_a if behind_is_a else half_b) and front[2] > 0.55 * behind[2]

    def _line_up(self, against: list[int], back: float) -> None:
        """Furniture with its back to the wall, side by side in random order, with gaps."""
        items = self.items
        order = self.rng.permutation(len(against))
        widths = [items[against[k]].size[0] for k in order]
        gaps = self.rng.uniform(0.08, 0.5, len(order))
        x = -(sum(widths) + sum(gaps)) / 2 + self.rng.normal(0, 0.3)
        for k, width, gap in zip(order, widths, gaps):
            item = against[k]
            y = back - items[item].size[1] / 2 - 0.02
            quad = corners(items[item].size, (x + width / 2, y), yaw=0.0, margin=0.03)
            if not any(overlap(quad, q) for q in self._quads()):
                self.placed.append(Placement(item, (float(x + width / 2), float(y), 0.0), 0.0))
            x += width + gap

    def _aim(self, shown, *, pitch: float, fovy: float, heights, fit) -> Viewpoint:
        boxes = [(self.items[p.item].size, p) for p in shown]
        return aim(boxes, self.rng, azimuth=self.azimuth, pitch=pitch, fovy=fovy, aspect=self.aspect, heights=heights,
                   fit=fit)

    def _room(self, view: Viewpoint, back: float) -> tuple[float, float, float, float]:
        """Walls beyond every object and the camera."""
        flat = np.concatenate([*self._quads(), np.array([view.position[:2]])])
        low, high = flat.min(0), flat.max(0)
        left, right, front = self.rng.uniform(0.15, 1.6, 3)
        back = max(back, high[1] + 0.03)
        return float(low[0] - left), float(high[0] + right), float(low[1] - front - 0.2), float(back)


class _Top:
    """The top of a table that is turned by an angle."""

    def __init__(self, table, turn: float):
        c, s = np.cos(turn), np.sin(turn)
        self._turn = np.array([[c, -s], [s, c]])
        self._half = np.array(table.size[:2]) / 2
        self._round = "round" in table.model or "oak" in table.model
        self.height = table.size[2]

    def point(self, where: np.ndarray, *, margin: float) -> np.ndarray:
        """A point (2,) from shares (2,) in [-1, 1] of the top without its margin."""
        return self._turn @ (np.maximum(self._half - margin, 0) * where)

    def holds(self, quad: np.ndarray) -> bool:
        """Whether a footprint (4, 2) lies on the top."""
        local = quad @ self._turn
        if self._round:
            return bool((np.hypot(*local.T) < self._half.min()).all())
        return bool((np.abs(local) < self._half).all())


def _room_for(item, margin: float) -> float:
    return (item.size[0] + margin) * (item.size[1] + margin)


def _box_corners(size, placement: Placement) -> np.ndarray:
    """(8, 3) corners of an object's box."""
    flat = corners(size, placement.position, yaw=placement.yaw)
    low = np.concatenate([flat, np.full((4, 1), placement.position[2])], 1)
    return np.concatenate([low, low + [0, 0, size[2]]])
