# SPDX-License-Identifier: Apache-2.0
"""A stock: one compiled MuJoCo model with an empty room and a few hundred objects to show or hide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipseg_ros.lab.scenes import catalogue, furniture, shapes, surfaces
from clipseg_ros.lab.scenes.engine import mujoco
from clipseg_ros.lab.scenes.mesh import Mesh, Part
from clipseg_ros.lab.scenes.vocabulary import CATEGORIES

SHOWN, HIDDEN = 1, 5  # geom groups; MuJoCo draws 0, 1 and 2
RUGS = ((1.1, 0.75), (1.7, 1.15), (2.4, 1.6))  # width and depth in metres
_PAINTED_SHARE = 0.8  # of the surface of a catalogue model takes the object's colour
_FLAT_TABLES = {
    "scopia/table4",
    "scopia/black_table",
    "by/table",
    "cc0/oakTable",
    "scopia/round-table",
    "cc0/table",
    "scopia/wooden_table_office",
    "scopia/white_kitchen_table",
    "scopia/table-with-leaning-feet",
    "kator/folding-table",
    "shape/table",
    "shape/round_table",
}
_LARGER = {"scissors": 1.35, "phone": 1.15, "knife": 1.1, "cup": 1.1}
_SURFACES = {
    "floor": (surfaces.floor_texture, 9),
    "wall": (surfaces.wall_texture, 10),
    "rug": (surfaces.rug_texture, 5),
    "picture": (surfaces.picture_texture, 6),
}


@dataclass(frozen=True)
class Piece:
    """One drawn piece of an item: its geom, whether paint covers it, materials without and with paint."""

    geom: int
    painted: bool
    natural: int
    bleached: int
    rgba: tuple[float, float, float, float]
    albedo: tuple[float, float, float]


@dataclass(frozen=True)
class Item:
    """An object of the stock: what it is, its size (3,) in metres, where it may stand, and its pieces."""

    category: str
    model: str
    size: tuple[float, float, float]
    held_out: bool
    floor: bool
    table: bool
    surface: bool
    body: int
    pieces: tuple[Piece, ...]


@dataclass
class _Draft:
    category: str
    model: str
    mesh: Mesh
    held_out: bool
    floor: bool
    table: bool


class Stock:
    """model, data (MuJoCo's), items, materials of the room's surfaces by name, and ids of the room's geoms
    by name."""

    def __init__(self, seed: int, *, held_out: bool = False, per_category: int = 6, models=None):
        """Draw `per_category` objects of each category, or take `models`: (category, model) pairs, one
        item each."""
        rng = np.random.default_rng([seed, 71, int(held_out)])
        if models is None:
            drafts = [d for c in CATEGORIES for d in _draw_category(c, rng, held_out, per_category)]
        else:
            drafts = [_named_draft(category, name, rng) for category, name in models]
        builder = _Builder(rng)
        bodies = [builder.add_item(i, d.mesh) for i, d in enumerate(drafts)]
        builder.add_room()
        self.model = builder.spec.compile()
        self.data = mujoco.MjData(self.model)
        self.items = tuple(self._item(d, i, names) for i, (d, names) in enumerate(zip(drafts, bodies)))
        self.room = {n: self._id(mujoco.mjtObj.mjOBJ_GEOM, n) for n in builder.room_geoms}
        self.materials = {
            k: [self._id(mujoco.mjtObj.mjOBJ_MATERIAL, f"{k}{i}") for i in range(count)]
            for k, (_, count) in _SURFACES.items()
        }
        self.item_of_geom = np.full(self.model.ngeom + 1, -1, np.int32)
        for i, item in enumerate(self.items):
            self.item_of_geom[[p.geom for p in item.pieces]] = i

    def _id(self, kind, name: str) -> int:
        return mujoco.mj_name2id(self.model, kind, name)

    def _item(self, draft: _Draft, index: int, parts: list[_NamedPart]) -> Item:
        pieces = tuple(
            Piece(
                self._id(mujoco.mjtObj.mjOBJ_GEOM, p.geom),
                p.painted,
                self._id(mujoco.mjtObj.mjOBJ_MATERIAL, p.natural),
                self._id(mujoco.mjtObj.mjOBJ_MATERIAL, p.bleached),
                p.rgba,
                p.albedo,
            )
            for p in parts
        )
        return Item(
            draft.category,
            draft.model,
            tuple(float(v) for v in draft.mesh.size()),
            draft.held_out,
            draft.floor,
            draft.table,
            draft.model in _FLAT_TABLES,
            self._id(mujoco.mjtObj.mjOBJ_BODY, f"item{index}"),
            pieces,
        )


def _draw_category(category: str, rng: np.random.Generator, held_out: bool, count: int) -> list[_Draft]:
    """Up to `count` instances of a category, catalogue models and parametric shapes mixed."""
    models = [m for m in catalogue.MODELS.get(category, ()) if (m in catalogue.HELD_OUT) == held_out]
    makers = [s for s in shapes.SHAPES.get(category, ()) if (s in shapes.HELD_OUT) == held_out]
    if len(models) + len(makers) == 0:
        return []
    from_models = len(models) if not makers else min(len(models), max(count - len(makers), (count + 1) // 2))
    chosen = [models[i] for i in rng.permutation(len(models))[: min(from_models, count)]]
    drafts = [(m, furniture.load_model(m)) for m in chosen]
    for i in range(max(count - len(drafts), 0) if makers else 0):
        maker = makers[(i + int(rng.integers(len(makers)))) % len(makers)]
        drafts.append((f"shape/{maker.__name__}", maker(rng).settled()))
    return [_draft(category, name, mesh, rng, held_out) for name, mesh in drafts]


def _named_draft(category: str, name: str, rng: np.random.Generator) -> _Draft:
    """A model of the catalogue or `shape/<name>`; ValueError where the category has none of that name."""
    makers = {f"shape/{s.__name__}": s for s in shapes.SHAPES.get(category, ())}
    if name not in makers and name not in catalogue.MODELS.get(category, ()):
        raise ValueError(f"category '{category}' has no model '{name}'")
    mesh = makers[name](rng).settled() if name in makers else furniture.load_model(name)
    return _draft(
        category, name, mesh, rng, name in catalogue.HELD_OUT or makers.get(name) in shapes.HELD_OUT
    )


def _draft(category: str, name: str, mesh: Mesh, rng: np.random.Generator, held_out: bool) -> _Draft:
    kind = CATEGORIES[category]
    factor = rng.uniform(0.95, 1.08) * _LARGER.get(category, 1.0)
    if category == "box" and mesh.size().max() > 0.4:
        factor *= rng.choice([0.27, 0.55]) / mesh.size().max()
    stretch = 1.0 if category in ("ball", "plate", "bowl") else rng.uniform(0.94, 1.06, 3)
    mesh = mesh.scaled(factor * stretch)
    largest, height = mesh.size().max(), mesh.size()[2]
    table = kind.table and largest < (0.75 if category == "lamp" else 0.5)
    floor = kind.floor and (
        height > 0.9 if category == "lamp" else height > 0.3 if category in ("plant", "vase") else True
    )
    return _Draft(category, name, mesh, held_out, floor, table)


@dataclass(frozen=True)
class _NamedPart:
    geom: str
    painted: bool
    natural: str
    bleached: str
    rgba: tuple[float, float, float, float]
    albedo: tuple[float, float, float]


class _Builder:
    """Adds items and the room to a MjSpec."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.spec = mujoco.MjSpec()
        self.room_geoms: list[str] = []
        visual, spec = self.spec.visual, self.spec
        spec.compiler.balanceinertia = True
        spec.stat.extent, spec.stat.center = 6.0, [0, 0, 0.5]
        visual.map.znear, visual.map.zfar = 0.018, 2.6
        visual.map.shadowclip, visual.map.shadowscale = 0.7, 0.9
        visual.quality.shadowsize, visual.quality.offsamples = 2048, 4
        visual.global_.offwidth, visual.global_.offheight = 1280, 960
        visual.headlight.active = 1
        for i, (specular, shininess) in enumerate(((0.05, 0.1), (0.25, 0.4), (0.55, 0.75))):
            spec.add_material(name=f"finish{i}", specular=specular, shininess=shininess, rgba=[1, 1, 1, 1])
        for _ in range(3):
            spec.worldbody.add_light(pos=[0, 0, 3], dir=[0, 0, -1])
        spec.worldbody.add_camera(name="camera", pos=[0, -3, 1.2])

    def add_item(self, index: int, mesh: Mesh) -> list[_NamedPart]:
        body = self.spec.worldbody.add_body(name=f"item{index}")
        parts = _merge_plain(mesh.parts)
        painted = _painted(parts)
        finish = f"finish{int(self.rng.choice(3, p=[0.5, 0.35, 0.15]))}"
        return [
            self._add_part(body, f"item{index}.{j}", part, painted[j], finish) for j, part in enumerate(parts)
        ]

    def _add_part(self, body, name: str, part: Part, painted: bool, finish: str) -> _NamedPart:
        self._add_mesh(name, part)
        natural = bleached = finish
        albedo = part.rgba[:3]
        if part.texture is not None:
            natural, bleached = f"{name}.natural", f"{name}.bleached"
            self._add_texture(natural, part.texture)
            albedo = tuple(part.texture.reshape(-1, 3).mean(0) / 255 * part.rgba[:3])
            if painted:
                self._add_texture(bleached, _bleach(part.texture))
            else:
                bleached = natural
        self._add_geom(body, name, natural, part.rgba)
        return _NamedPart(name, painted, natural, bleached, tuple(part.rgba), albedo)

    def _add_mesh(self, name: str, part: Part) -> None:
        extra = {}
        if part.uv is not None:
            extra = {"usertexcoord": part.uv.ravel(), "userfacetexcoord": part.face_uv.ravel()}
        self.spec.add_mesh(
            name=name,
            uservert=part.vertices.ravel(),
            userface=part.faces.ravel(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
            **extra,
        )

    def _add_texture(self, name: str, image: np.ndarray, *, specular: float = 0.12) -> None:
        texture = self.spec.add_texture(
            name=name,
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            width=image.shape[1],
            height=image.shape[0],
            nchannel=3,
        )
        texture.data = np.ascontiguousarray(image).tobytes()
        material = self.spec.add_material(name=name, specular=specular, shininess=0.3, rgba=[1, 1, 1, 1])
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name

    def _add_geom(self, body, name: str, material: str, rgba, *, group: int = HIDDEN) -> None:
        body.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            material=material,
            rgba=list(rgba),
            group=group,
            contype=0,
            conaffinity=0,
        )

    def add_room(self) -> None:
        """Floor, four walls, ceiling, rugs and two pictures; sizes and materials are set per scene."""
        for kind, (draw, count) in _SURFACES.items():
            for i in range(count):
                self._add_texture(f"{kind}{i}", draw(self.rng), specular=0.03)
        sheets = {
            "floor": (16, 16, 0.5, "floor0"),
            "ceiling": (16, 16, 0.0, "finish0"),
            "skirting": (16, 0.09, 0.0, "finish0"),
        }
        sheets |= {f"wall{i}": (16, 3.2, 0.5, "wall0") for i in range(4)}
        sheets |= {f"picture{i}": (1, 1, 0.0, "picture0") for i in range(2)}
        sheets |= {f"rug{i}": (*size, 0.0, "rug0") for i, size in enumerate(RUGS)}
        for name, (width, height, tiling, material) in sheets.items():
            body = self.spec.worldbody.add_body(name=name)
            self._add_mesh(name, _sheet(width, height, tiling))
            self._add_geom(body, name, material, (1, 1, 1, 1), group=SHOWN)
            self.room_geoms.append(name)


def _sheet(width: float, height: float, tiling: float) -> Part:
    """A flat grid in the x-y plane facing +z, 0.5 m cells; tiling: textures per metre, 0: one over all."""
    nx, ny = max(2, int(width * 2)) + 1, max(2, int(height * 2)) + 1
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, nx) * width, np.linspace(-0.5, 0.5, ny) * height)
    vertices = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3).astype(np.float32)
    uv = (
        np.stack([x * tiling, -y * tiling], -1)
        if tiling
        else np.stack([x / width + 0.5, 0.5 - y / height], -1)
    )
    i, j = np.meshgrid(np.arange(ny - 1), np.arange(nx - 1), indexing="ij")
    a = (i * nx + j).ravel()
    faces = np.concatenate(
        [np.stack([a, a + 1, a + nx + 1], 1), np.stack([a, a + nx + 1, a + nx], 1)]
    ).astype(np.int32)
    return Part(vertices, faces, uv=uv.reshape(-1, 2).astype(np.float32), face_uv=faces)


def _merge_plain(parts) -> list[Part]:
    """Parts without texture and of one colour become one, which spares geoms and materials."""
    groups: dict[tuple, list[Part]] = {}
    for i, part in enumerate(parts):
        key = (i,) if part.texture is not None else (part.paint, *np.round(part.rgba, 3))
        groups.setdefault(key, []).append(part)
    merged = []
    for group in groups.values():
        offsets = np.cumsum([0, *[len(p.vertices) for p in group[:-1]]])
        faces = np.concatenate([p.faces + o for p, o in zip(group, offsets)]).astype(np.int32)
        first = group[0]
        merged.append(
            Part(
                np.concatenate([p.vertices for p in group]),
                faces,
                first.rgba,
                first.uv,
                first.face_uv,
                first.texture,
                first.paint,
            )
        )
    return merged


def _painted(parts: list[Part]) -> list[bool]:
    """Which parts take the object's colour: those that say so, else the largest until most of the surface
    is covered."""
    if any(p.paint is not None for p in parts):
        return [bool(p.paint) for p in parts]
    areas = np.array([p.area() * (p.rgba[3] > 0.9) for p in parts])
    painted, covered = [False] * len(parts), 0.0
    for i in np.argsort(-areas):
        if covered < _PAINTED_SHARE * areas.sum() and areas[i] > 0:
            painted[i] = True
            covered += areas[i]
    return painted


def _bleach(texture: np.ndarray) -> np.ndarray:
    """A texture without its hue and with mild contrast about a light grey, to be tinted."""
    grey = texture.astype(np.float32).mean(2)
    shade = (grey - grey.mean()) / 255
    return np.repeat(np.clip(232 + 110 * shade, 120, 255)[..., None], 3, axis=2).astype(np.uint8)
