# SPDX-License-Identifier: Apache-2.0
"""The simulated home: scenes rendered from seeds with MuJoCo, on the CPU."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from clipseg_ros.lab.scenes import arrangement, colours, staging
from clipseg_ros.lab.scenes.arrangement import Layout, Placement, Viewpoint
from clipseg_ros.lab.scenes.engine import mujoco
from clipseg_ros.lab.scenes.scene import Scene, SceneObject
from clipseg_ros.lab.scenes.stock import HIDDEN, SHOWN, Stock
from clipseg_ros.lab.scenes.vocabulary import CATEGORIES

KINDS = ("table", "floor", "small")
_KIND_SHARES = (0.52, 0.38, 0.10)
_PAINT_SHOWS = 0.4  # of an object's visible pixels are painted, for the paint to name its colour
_SAME_NAME_SHARE = 0.65  # of an unpainted object's visible pixels have one colour's name, for it to be named
_MIN_SHARE, _MIN_VISIBLE = 0.003, 0.25
_PREVIEW = (96, 72)


class Home:
    """Scenes from one stock of objects. Not for several threads at once.

    Parameters
    ----------
    stock_seed : draws the stock
    held_out : take only the models that training never sees
    width, height : of the pictures, in pixels
    shadows : side of the shadow map in pixels
    stock : a Stock to use instead

    Raises
    ------
    ImportError
        Where MuJoCo or the furniture package is not installed.
    OSError
        Where MuJoCo cannot draw.
    """

    def __init__(
        self,
        stock_seed: int = 0,
        *,
        held_out: bool = False,
        width: int = 640,
        height: int = 480,
        shadows: int = 2048,
        stock: Stock | None = None,
    ):
        check_drawing()
        self.stock = stock or Stock(stock_seed, held_out=held_out)
        self.width, self.height = width, height
        self.stock.model.vis.quality.shadowsize = shadows
        self._renderer = self._open(width, height)
        self._preview = self._open(*_PREVIEW)

    def _open(self, width: int, height: int) -> mujoco.Renderer:
        renderer = mujoco.Renderer(self.stock.model, height=height, width=width, max_geom=1500)
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = 0
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        return renderer

    def close(self) -> None:
        """Free the renderer's contexts."""
        self._renderer.close()
        self._preview.close()

    def scene(self, seed: int, *, depth: bool = True, kind: str | None = None) -> Scene:
        """The scene of a seed; kind 'table', 'floor' or 'small' instead of one by chance."""
        return self.render(self.prepare(seed, kind=kind), seed=seed, depth=depth)

    def prepare(self, seed: int, *, kind: str | None = None) -> Layout:
        """Set the scene of a seed up without rendering it; ValueError for an unknown kind."""
        rng = np.random.default_rng([seed, 29])
        kind = kind or str(rng.choice(KINDS, p=_KIND_SHARES))
        if kind not in KINDS:
            raise ValueError(f"there are no scenes of the kind '{kind}'; give one of {', '.join(KINDS)}")
        plan = arrangement.arrange(self.stock.items, rng, kind=kind, aspect=self.width / self.height)
        plan = replace(plan, placements=staging.coloured(self.stock, plan, rng=rng))
        self.set_up(plan, rng)
        return plan

    def set_up(self, plan: Layout, rng: np.random.Generator) -> None:
        """Bring the model into the state of a layout, with room and light by chance."""
        staging.place_items(self.stock, plan, rng=rng)
        staging.furnish(self.stock, plan, rng=rng)
        staging.light(self.stock, plan, rng=rng)

    def render(self, plan: Layout, *, seed: int = 0, depth: bool = True) -> Scene:
        """A picture of the layout that is set up, with everything that is known about it."""
        pose = self._look(plan.view)
        rgb = self._draw("rgb")
        geoms = self._draw("ids")
        metres = self._draw("depth") if depth else None
        k = _intrinsics(plan.view.fovy, self.width, self.height)
        ids, objects = self._describe(plan, geoms, metres, k)
        return Scene(rgb, metres, ids, k, pose, objects, seed)

    def picture(self, view: Viewpoint) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is set up from another view: rgb (H, W, 3) uint8, depth (H, W) metres, k (3, 3) pixels."""
        self._look(view)
        return self._draw("rgb"), self._draw("depth"), _intrinsics(view.fovy, self.width, self.height)

    def _look(self, view: Viewpoint) -> np.ndarray:
        pose = staging.move_camera(self.stock, view)
        mujoco.mj_kinematics(self.stock.model, self.stock.data)
        mujoco.mj_camlight(self.stock.model, self.stock.data)
        return pose

    def _draw(self, what: str) -> np.ndarray:
        renderer = self._renderer
        if what == "ids":
            renderer.enable_segmentation_rendering()
        elif what == "depth":
            renderer.enable_depth_rendering()
        renderer.update_scene(self.stock.data, camera="camera")
        image = renderer.render()
        renderer.disable_segmentation_rendering()
        renderer.disable_depth_rendering()
        if what != "ids":
            return image.copy()
        return np.where(image[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM), image[..., 0], -1)

    def _describe(self, plan: Layout, geoms, metres, k) -> tuple[np.ndarray, tuple[SceneObject, ...]]:
        items = self.stock.item_of_geom[geoms]
        ids = np.zeros(geoms.shape, np.uint8)
        objects = []
        for placement in plan.placements:
            item = self.stock.items[placement.item]
            mask = items == placement.item
            pixels = int(mask.sum())
            if pixels == 0:
                continue
            number = len(objects) + 1
            ids[mask] = number
            visible = self._visible_share(placement, pixels)
            nameable = pixels >= _MIN_SHARE * mask.size and visible >= _MIN_VISIBLE
            objects.append(
                SceneObject(
                    number,
                    item.category,
                    _colour_name(item, placement.colour, geoms[mask]),
                    item.model,
                    item.size,
                    _centroid(mask, metres, k),
                    pixels,
                    round(visible, 3),
                    bool(nameable),
                    item.held_out,
                    (*placement.position[:2], placement.yaw),
                )
            )
        return ids, tuple(objects)

    def _visible_share(self, placement: Placement, pixels: int) -> float:
        """Visible pixels over those of the object drawn alone, at a small size."""
        item = self.stock.items[placement.item]
        model = self.stock.model
        groups = model.geom_group.copy()
        model.geom_group[:] = HIDDEN
        model.geom_group[[p.geom for p in item.pieces]] = SHOWN
        self._preview.enable_segmentation_rendering()
        self._preview.update_scene(self.stock.data, camera="camera")
        alone = int((self._preview.render()[..., 1] == int(mujoco.mjtObj.mjOBJ_GEOM)).sum())
        self._preview.disable_segmentation_rendering()
        model.geom_group[:] = groups
        scale = self.width * self.height / (_PREVIEW[0] * _PREVIEW[1])
        return float(min(1.0, pixels / max(alone * scale, 1.0)))


def check_drawing() -> None:
    """Raise OSError, which says why, where MuJoCo cannot draw."""
    try:
        mujoco.Renderer(mujoco.MjModel.from_xml_string("<mujoco/>"), height=8, width=8).close()
    except (mujoco.FatalError, RuntimeError, AttributeError) as error:
        raise OSError(f"MuJoCo cannot draw with MUJOCO_GL={os.environ.get('MUJOCO_GL')}: {error}") from error


def _intrinsics(fovy: float, width: int, height: int) -> np.ndarray:
    """(3, 3) pinhole matrix with square pixels; pixel centres at integer coordinates."""
    focal = height / 2 / np.tan(np.radians(fovy) / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def _centroid(
    mask: np.ndarray, metres: np.ndarray | None, k: np.ndarray
) -> tuple[float, float, float] | None:
    """Mean of the visible points of a mask in the camera's optical frame, metres."""
    if metres is None:
        return None
    v, u = np.nonzero(mask)
    z = metres[v, u].astype(np.float64)
    x, y = (u - k[0, 2]) / k[0, 0] * z, (v - k[1, 2]) / k[1, 1] * z
    return float(x.mean()), float(y.mean()), float(z.mean())


def _colour_name(item, painted: str | None, geoms: np.ndarray) -> str | None:
    """The colour that a person would name: paint that shows enough, else that of most visible pixels."""
    shares: dict[str | None, float] = {}
    covered = 0.0
    for piece in item.pieces:
        share = float((geoms == piece.geom).mean())
        if painted and piece.painted:
            covered += share
        else:
            plain = piece.rgba[3] > 0.9 and CATEGORIES[item.category].paint
            name = colours.name_of(piece.albedo) if plain else None
            shares[name] = shares.get(name, 0.0) + share
    if covered >= _PAINT_SHOWS:
        return painted
    best = max(shares, key=shares.get, default=None)
    return best if best is not None and shares[best] >= _SAME_NAME_SHARE else None
