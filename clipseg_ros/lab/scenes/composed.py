# SPDX-License-Identifier: Apache-2.0
"""Scenes arranged by hand; `python -m clipseg_ros.lab.scenes.composed DIR` makes the recorded ones of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from clipseg_ros.lab.scenes.arrangement import Layout, Placement, Viewpoint, corners, overlap
from clipseg_ros.lab.scenes.furniture import credit
from clipseg_ros.lab.scenes.home import Home
from clipseg_ros.lab.scenes.recorded import save_recorded
from clipseg_ros.lab.scenes.scene import Scene
from clipseg_ros.lab.scenes.stock import Stock

WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True)
class Thing:
    """One object: category, model, x and y in metres, turn in degrees (0: to the camera), colour or None."""

    category: str
    model: str
    x: float
    y: float
    turn: float = 0.0
    colour: str | None = None


@dataclass(frozen=True)
class Composition:
    """A scene: what stands on the floor, what on the first thing if that is a table, camera and room.

    Attributes
    ----------
    camera : position (3,) and target (3,) in metres
    room : x low, x high, y low, y high, in metres
    seed : decides materials and light
    """

    name: str
    floor: tuple[Thing, ...]
    camera: tuple[tuple[float, float, float], tuple[float, float, float]]
    room: tuple[float, float, float, float]
    seed: int
    top: tuple[Thing, ...] = ()
    fovy: float = 52.0


COMPOSITIONS = (
    Composition(
        "living room",
        (
            Thing("sofa", "scopia/burlap_sofa", -0.75, 1.0, 12),
            Thing("armchair", "scopia/armchair3", 1.15, 0.55, -35, "green"),
            Thing("chair", "by/ella_chair_f", 0.5, -0.45, 55, "red"),
            Thing("bookcase", "shape/bookcase", 1.5, 1.72),
            Thing("plant", "scopia/maceta", -2.05, 0.95),
            Thing("lamp", "shape/floor_lamp", 0.6, 1.6),
        ),
        ((-0.2, -2.55, 1.35), (-0.1, 0.6, 0.55)),
        (-2.8, 2.6, -3.4, 2.0),
        4,
    ),
    Composition(
        "breakfast",
        (Thing("table", "scopia/table4", 0, 0),),
        ((0.03, -0.76, 1.22), (0.0, 0.02, 0.77)),
        (-2.0, 2.2, -2.2, 1.7),
        5,
        (
            Thing("cup", "shape/mug", -0.16, -0.08, 150, "red"),
            Thing("cup", "shape/mug", 0.27, 0.14, 20, "blue"),
            Thing("plate", "shape/plate", 0.06, -0.14, 0, "white"),
            Thing("bread", "cc0/bread", -0.36, 0.12, 25),
            Thing("bottle", "shape/bottle", 0.05, 0.22, 0, "green"),
            Thing("bowl", "shape/bowl", 0.32, -0.12, 0, "yellow"),
            Thing("glass", "shape/tumbler", -0.1, 0.14),
        ),
    ),
    Composition(
        "bedroom",
        (
            Thing("bed", "cc0/bed2", 0.7, 0.75, -8, "blue"),
            Thing("cabinet", "by/wardrobe", -1.25, 1.55, 0),
            Thing("door", "kator/exterior-door-07", -2.55, 1.88, 0),
            Thing("shoes", "scopia/woman_shoes", -0.75, -0.6, 20, "red"),
            Thing("stool", "cc0/stool2", -1.7, 0.35, 0),
        ),
        ((-0.8, -2.55, 1.5), (-0.6, 0.6, 0.6)),
        (-3.3, 2.3, -3.5, 2.0),
        4,
    ),
    Composition(
        "workbench",
        (Thing("table", "by/table", 0, 0),),
        ((-0.08, -0.72, 1.28), (0.02, 0.02, 0.76)),
        (-2.0, 2.4, -2.3, 1.6),
        3,
        (
            Thing("hammer", "shape/hammer", -0.32, -0.1, 35, "orange"),
            Thing("drill", "scopia/perceuse-electrique", 0.24, 0.14, 120),
            Thing("scissors", "shape/scissors", 0.16, -0.2, -30, "blue"),
            Thing("box", "shape/open_box", -0.26, 0.2, 12, "brown"),
            Thing("book", "shape/book", 0.4, -0.1, -20, "red"),
        ),
    ),
    Composition(
        "dining room",
        (
            Thing("table", "cc0/oakTable", 0.15, 0.75),
            Thing("chair", "scopia/chair", -0.95, 0.45, 60, "yellow"),
            Thing("chair", "scopia/chair4", 0.45, -0.3, 175, "blue"),
            Thing("chair", "scopia/plastic_chair", 1.25, 0.7, -75, "red"),
            Thing("cabinet", "by/chest", -1.15, 1.7),
            Thing("plant", "cc0/plant", 1.75, 1.65),
        ),
        ((-0.4, -2.4, 1.5), (0.1, 0.6, 0.5)),
        (-2.7, 2.7, -3.3, 2.0),
        5,
    ),
    Composition(
        "playroom",
        (
            Thing("teddy bear", "cc0/teddyBear", -0.3, 0.15, 15),
            Thing("ball", "shape/striped_ball", 0.16, -0.12, 30, "blue"),
            Thing("ball", "cc0/basketball", 0.62, 0.3, 0),
            Thing("box", "shape/open_box", -0.62, -0.22, 20, "pink"),
            Thing("shoes", "shape/low_shoes", 0.55, -0.36, -25, "green"),
            Thing("stool", "by/green_stool", 0.1, 0.75, 0, "yellow"),
        ),
        ((-0.1, -1.3, 0.95), (0.03, 0.12, 0.12)),
        (-2.0, 2.2, -2.2, 1.5),
        9,
    ),
)


def compose(composition: Composition) -> Scene:
    """Render a composition at WIDTH x HEIGHT, drawn at twice the size. ValueError where things overlap."""
    things = composition.floor + composition.top
    stock = Stock(composition.seed, models=[(t.category, t.model) for t in things])
    height = stock.items[0].size[2]
    placements = tuple(
        Placement(
            i, (t.x, t.y, 0.0 if i < len(composition.floor) else height), float(np.radians(t.turn)), t.colour
        )
        for i, t in enumerate(things)
    )
    _check(stock, placements, composition.name)
    position, target = composition.camera
    plan = Layout(placements, Viewpoint(position, target, 0.0, composition.fovy), composition.room, "floor")
    home = Home(stock=stock, width=2 * WIDTH, height=2 * HEIGHT, shadows=4096)
    try:
        home.set_up(plan, np.random.default_rng(composition.seed))
        return _halved(home.render(plan, seed=composition.seed))
    finally:
        home.close()


def _check(stock: Stock, placements: tuple[Placement, ...], name: str) -> None:
    quads = [corners(stock.items[p.item].size, p.position, yaw=p.yaw) for p in placements]
    for i, a in enumerate(placements):
        for j, b in enumerate(placements[:i]):
            if a.position[2] == b.position[2] and overlap(quads[i], quads[j]):
                raise ValueError(
                    f"{name}: {stock.items[i].model} and {stock.items[j].model} stand in each other"
                )


def _halved(scene: Scene) -> Scene:
    """Half the size: colours averaged, every second pixel of depth and ids."""
    size = (scene.rgb.shape[1] // 2, scene.rgb.shape[0] // 2)
    k = scene.k.copy()
    k[:2] /= 2
    objects = tuple(replace(o, pixels=int((scene.ids[::2, ::2] == o.id).sum())) for o in scene.objects)
    return Scene(
        cv2.resize(scene.rgb, size, interpolation=cv2.INTER_AREA),
        scene.depth[::2, ::2],
        scene.ids[::2, ::2].copy(),
        k,
        scene.camera_pose,
        objects,
        scene.seed,
    )


def write_credits(scenes: list[Scene], path: Path) -> None:
    """CREDITS.md: title, creator and licence of every catalogue model that the scenes show."""
    models = sorted({o.model for s in scenes for o in s.objects if not o.model.startswith("shape/")})
    rows = [(c.title, c.creator, c.licence, c.model) for c in map(credit, models)]
    lines = [
        "# Credits of the recorded scenes",
        "",
        "The pictures in this folder were rendered by clipseg_ros. They show these 3D models, taken from",
        "Debian's package `sweethome3d-furniture` and recoloured in places. Everything else was made by",
        "clipseg_ros.",
        "",
        "| model | creator | licence | name in the catalogue |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        "- CC0 1.0: <https://creativecommons.org/publicdomain/zero/1.0/>",
        "- CC BY 3.0: <https://creativecommons.org/licenses/by/3.0/>",
        "- CC BY 3.0 US: <https://creativecommons.org/licenses/by/3.0/us/>",
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def main() -> None:
    directory = Path(sys.argv[1])
    scenes = [compose(c) for c in COMPOSITIONS]
    save_recorded(scenes, directory)
    write_credits(scenes, directory / "CREDITS.md")


if __name__ == "__main__":
    main()
