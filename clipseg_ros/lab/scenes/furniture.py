# SPDX-License-Identifier: Apache-2.0
"""Models of Debian's sweethome3d-furniture package as meshes, converted once into the user's cache."""

from __future__ import annotations

import os
import posixpath
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from clipseg_ros.clipseg.whole_files import replacing
from clipseg_ros.lab.scenes.mesh import Mesh, Part

DIRECTORY = Path("/usr/share/sweethome3d/furniture")
CATALOGUES = {
    "cc0": "BlendSwap-CC-0.sh3f",
    "by": "BlendSwap-CC-BY.sh3f",
    "kator": "KatorLegaz.sh3f",
    "scopia": "Scopia.sh3f",
}
LICENCES = {"cc0": "CC0 1.0", "by": "CC BY 3.0", "kator": "CC BY 3.0 US", "scopia": "CC BY 3.0"}
_SOURCES = {
    "by": "Blend Swap",
    "cc0": "Blend Swap",
    "kator": "Andrew Kator & Jennifer Legaz",
    "scopia": "Scopia",
}
_TEXTURE_SIDE = 256
_FORMAT = 3  # of the cached files


class FurnitureMissing(ImportError):
    """The package with the models is not installed."""


@dataclass(frozen=True)
class Credit:
    """Who made a model, and under which licence it comes."""

    model: str
    title: str
    creator: str
    licence: str


def available() -> bool:
    """Whether the furniture catalogues are installed."""
    return all((DIRECTORY / name).is_file() for name in CATALOGUES.values())


def require() -> None:
    """Raise FurnitureMissing, which says what to install, unless the furniture catalogues are there."""
    for name in CATALOGUES.values():
        if not (DIRECTORY / name).is_file():
            raise FurnitureMissing(
                f"{DIRECTORY / name} is missing; the simulated home needs the Debian package "
                "sweethome3d-furniture (apt install sweethome3d-furniture)"
            )


def load_model(name: str) -> Mesh:
    """The mesh of `<catalogue>/<model>` at its catalogue's size.

    Raises FurnitureMissing without the Debian package, ValueError for a name that it lacks.
    """
    cached = _cache_directory() / f"{name.replace('/', '_')}.{_FORMAT}.npz"
    if not cached.is_file():
        cached.parent.mkdir(parents=True, exist_ok=True)
        arrays = _pack(_convert(name))
        with replacing(cached, lasting=False) as part:
            np.savez(part, **arrays)
    with np.load(cached, allow_pickle=False) as arrays:
        return _unpack(arrays)


def credit(name: str) -> Credit:
    """Creator and licence of a model, as its catalogue states them."""
    entry, _ = _entry(name)
    catalogue = name.split("/")[0]
    creator = entry.get("creator", _SOURCES[catalogue])
    return Credit(name, entry.get("name", name), creator, LICENCES[catalogue])


def _cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "clipseg_ros" / "furniture"


_archives: dict[str, tuple[zipfile.ZipFile, dict[str, dict[str, str]]]] = {}


def _entry(name: str) -> tuple[dict[str, str], zipfile.ZipFile]:
    catalogue, _, model = name.partition("/")
    if catalogue not in CATALOGUES:
        raise ValueError(
            f"model '{name}' names no catalogue; give <catalogue>/<model> with one of {list(CATALOGUES)}"
        )
    if catalogue not in _archives:
        if not (DIRECTORY / CATALOGUES[catalogue]).is_file():
            require()
        archive = zipfile.ZipFile(DIRECTORY / CATALOGUES[catalogue])
        _archives[catalogue] = (archive, _properties(archive.read("PluginFurnitureCatalog.properties")))
    archive, entries = _archives[catalogue]
    if model not in entries:
        raise ValueError(f"model '{name}' is not in {CATALOGUES[catalogue]}")
    return entries[model], archive


def _properties(data: bytes) -> dict[str, dict[str, str]]:
    """Entries of a catalogue by the last part of their id."""
    numbered: dict[str, dict[str, str]] = {}
    for line in data.decode("latin-1").splitlines():
        match = re.match(r"(\w+)#(\d+)=(.*)", line)
        if match:
            numbered.setdefault(match[2], {})[match[1]] = re.sub(
                r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), match[3].strip()
            )
    return {entry["id"].split("#")[-1]: entry for entry in numbered.values() if "id" in entry}


def _convert(name: str) -> Mesh:
    entry, archive = _entry(name)
    path = entry["model"].lstrip("/")
    parts = _read_obj(archive, path)
    rotation = (
        np.array([float(v) for v in entry["modelRotation"].split()]).reshape(3, 3)
        if "modelRotation" in entry
        else np.eye(3)
    )
    upright = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float64) @ rotation
    target = np.array([float(entry[k]) for k in ("width", "depth", "height")]) / 100
    vertices = np.concatenate([p.vertices for p in parts]) @ upright.T
    factor = target / np.maximum(np.ptp(vertices, axis=0), 1e-6)
    turned = [
        Part(
            (p.vertices @ upright.T * factor).astype(np.float32), p.faces, p.rgba, p.uv, p.face_uv, p.texture
        )
        for p in parts
    ]
    return Mesh(tuple(turned)).settled()


def _read_obj(archive: zipfile.ZipFile, path: str) -> list[Part]:
    """Parts of a Wavefront file, one per material, in the file's own frame and units."""
    vertices, texture_coordinates, materials = [], [], {}
    corners: dict[str, list] = {}
    current = ""
    for line in archive.read(path).decode("latin-1").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "v":
            vertices.append([float(x) for x in rest.split()[:3]])
        elif word == "vt":
            texture_coordinates.append([float(x) for x in rest.split()[:2]])
        elif word == "usemtl":
            current = rest.strip()
        elif word == "mtllib":
            materials.update(_read_mtl(archive, posixpath.join(posixpath.dirname(path), rest.strip())))
        elif word == "f":
            _add_polygon(
                corners.setdefault(current, []), rest.split(), len(vertices), len(texture_coordinates)
            )
    points = np.array(vertices, np.float64)
    uv = np.array(texture_coordinates or [[0, 0]], np.float32)
    return [_part(points, uv, np.array(c, np.int64), materials.get(m, {})) for m, c in corners.items()]


def _add_polygon(triangles: list, corners: list[str], points: int, coordinates: int) -> None:
    """Append a polygon as a fan of [vertex x 3, texture coordinate x 3] rows; -1 where there is none."""
    indices = []
    for corner in corners:
        fields = corner.split("/")
        v = int(fields[0])
        t = int(fields[1]) if len(fields) > 1 and fields[1] else 0
        indices.append((v - 1 if v > 0 else points + v, t - 1 if t > 0 else coordinates + t if t < 0 else -1))
    for i in range(1, len(indices) - 1):
        a, b, c = indices[0], indices[i], indices[i + 1]
        triangles.append((a[0], b[0], c[0], a[1], b[1], c[1]))


def _part(points: np.ndarray, uv: np.ndarray, rows: np.ndarray, material: dict) -> Part:
    used, faces = np.unique(rows[:, :3], return_inverse=True)
    faces = faces.reshape(-1, 3).astype(np.int32)
    texture = material.get("texture")
    coordinates = face_uv = None
    if texture is not None and (rows[:, 3:] >= 0).all():
        kept, face_uv = np.unique(rows[:, 3:], return_inverse=True)
        face_uv = face_uv.reshape(-1, 3).astype(np.int32)
        coordinates = np.stack([uv[kept, 0], 1 - uv[kept, 1]], axis=1).astype(np.float32)
    colour = (1.0, 1.0, 1.0) if coordinates is not None else material.get("colour", (0.8, 0.8, 0.8))
    if texture is not None and coordinates is None:
        colour, texture = tuple(texture.reshape(-1, 3).mean(0) / 255), None
    return Part(
        points[used].astype(np.float32),
        faces,
        (*colour, material.get("alpha", 1.0)),
        coordinates,
        face_uv,
        texture,
    )


def _read_mtl(archive: zipfile.ZipFile, path: str) -> dict[str, dict]:
    materials: dict[str, dict] = {}
    current: dict = {}
    if path not in archive.namelist():
        return materials
    for line in archive.read(path).decode("latin-1").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "newmtl":
            current = materials.setdefault(rest.strip(), {})
        elif word == "Kd":
            current["colour"] = tuple(float(x) for x in rest.split()[:3])
        elif word == "d":
            current["alpha"] = min(max(float(rest.split()[-1]), 0.3), 1.0)
        elif word == "map_Kd":
            current["texture"] = _read_texture(archive, posixpath.join(posixpath.dirname(path), rest.strip()))
    return materials


def _read_texture(archive: zipfile.ZipFile, path: str) -> np.ndarray | None:
    try:
        data = archive.read(posixpath.normpath(path.replace("\\", "/")))
    except KeyError:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    factor = min(1.0, _TEXTURE_SIDE / max(image.shape[:2]))
    size = [max(1, round(s * factor)) for s in image.shape[1::-1]]
    return cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def _pack(mesh: Mesh) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {"count": np.array(len(mesh.parts))}
    for i, part in enumerate(mesh.parts):
        arrays[f"{i}.vertices"], arrays[f"{i}.faces"], arrays[f"{i}.rgba"] = (
            part.vertices,
            part.faces,
            np.array(part.rgba),
        )
        if part.uv is not None:
            arrays[f"{i}.uv"], arrays[f"{i}.face_uv"], arrays[f"{i}.texture"] = (
                part.uv,
                part.face_uv,
                part.texture,
            )
    return arrays


def _unpack(arrays) -> Mesh:
    parts = []
    for i in range(int(arrays["count"])):
        uv = {k: arrays[f"{i}.{k}"] for k in ("uv", "face_uv", "texture")} if f"{i}.uv" in arrays else {}
        parts.append(
            Part(arrays[f"{i}.vertices"], arrays[f"{i}.faces"], tuple(arrays[f"{i}.rgba"].tolist()), **uv)
        )
    return Mesh(tuple(parts))
