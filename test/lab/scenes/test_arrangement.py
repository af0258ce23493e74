# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from clipseg_ros.lab.scenes.arrangement import Viewpoint, arrange, corners, overlap


@dataclass(frozen=True)
class FakeItem:
    category: str
    size: tuple[float, float, float]
    floor: bool = False
    table: bool = False
    surface: bool = False
    model: str = "shape/fake"


ITEMS = (
    [FakeItem("table", (1.4, 0.8, 0.75), floor=True, surface=True)]
    + [
        FakeItem(c, s, floor=True)
        for c, s in (
            ("chair", (0.5, 0.5, 0.9)),
            ("sofa", (2.0, 0.9, 0.8)),
            ("cabinet", (1.0, 0.5, 1.8)),
            ("bed", (1.4, 2.0, 0.9)),
            ("stool", (0.4, 0.4, 0.6)),
            ("bookcase", (0.9, 0.3, 1.9)),
        )
    ]
    + [
        FakeItem(c, s, table=True, floor=c in ("ball", "box"))
        for c, s in (
            ("cup", (0.12, 0.08, 0.1)),
            ("bottle", (0.08, 0.08, 0.28)),
            ("laptop", (0.33, 0.3, 0.22)),
            ("ball", (0.2, 0.2, 0.2)),
            ("box", (0.25, 0.2, 0.15)),
            ("plate", (0.24, 0.24, 0.02)),
        )
    ]
)


@pytest.mark.parametrize(
    ("shift", "turn", "expected"),
    [
        ((0.0, 0.0), 0.0, True),
        ((1.01, 0.0), 0.0, False),
        ((0.99, 0.0), 0.0, True),
        ((1.1, 0.0), np.pi / 4, True),
        ((1.3, 0.0), np.pi / 4, False),
        ((1.0, 1.0), np.pi / 4, False),
    ],
)
def test_overlap_of_unit_squares(shift, turn, expected):
    assert overlap(corners((1, 1, 1), (0, 0), yaw=0.0), corners((1, 1, 1), shift, yaw=turn)) is expected


@pytest.mark.parametrize("kind", ["table", "floor", "small"])
def test_nothing_stands_in_something_else_and_all_are_in_the_room(kind):
    for seed in range(60):
        plan = arrange(ITEMS, np.random.default_rng(seed), kind=kind)
        assert plan.placements and len({p.item for p in plan.placements}) == len(plan.placements)
        quads = [corners(ITEMS[p.item].size, p.position, yaw=p.yaw) for p in plan.placements]
        for i, a in enumerate(plan.placements):
            for j, b in enumerate(plan.placements[:i]):
                assert a.position[2] != b.position[2] or not overlap(quads[i], quads[j]), (seed, i, j)
        left, right, front, back = plan.room
        flat = np.concatenate([*quads, [plan.view.position[:2]]])
        assert flat[:, 0].min() > left and flat[:, 0].max() < right
        assert flat[:, 1].min() > front and flat[:, 1].max() < back + 1e-6


def test_what_is_on_the_table_rests_on_its_top():
    for seed in range(40):
        plan = arrange(ITEMS, np.random.default_rng(seed), kind="table")
        table, *others = plan.placements
        size = np.array(ITEMS[table.item].size)
        c, s = np.cos(table.yaw), np.sin(table.yaw)
        for p in others:
            assert p.position[2] == size[2]
            local = corners(ITEMS[p.item].size, p.position, yaw=p.yaw) @ np.array([[c, -s], [s, c]])
            assert (np.abs(local) <= size[:2] / 2).all()


def test_the_camera_looks_at_the_objects_from_above_the_floor():
    for seed in range(40):
        plan = arrange(ITEMS, np.random.default_rng(seed), kind="floor")
        position, target = np.array(plan.view.position), np.array(plan.view.target)
        middle = np.mean([(*p.position[:2], ITEMS[p.item].size[2] / 2) for p in plan.placements], axis=0)
        assert 0.1 < position[2] < 2.0
        forward = (target - position) / np.linalg.norm(target - position)
        towards = (middle - position) / np.linalg.norm(middle - position)
        assert forward @ towards > np.cos(np.radians(35))


def test_the_same_seed_arranges_the_same():
    assert arrange(ITEMS, np.random.default_rng(5), kind="floor") == arrange(
        ITEMS, np.random.default_rng(5), kind="floor"
    )


def test_a_view_swings_about_its_target():
    view = Viewpoint((1.0, 0.0, 2.0), (0.0, 0.0, 1.0), 0.0, 50.0)
    assert view.swung(np.pi / 2).position == pytest.approx((0.0, 1.0, 2.0))
    assert view.swung(np.pi / 2).target == view.target
