# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zipfile

import numpy as np
import pytest

from clipseg_ros.lab.scenes import catalogue, furniture

OBJ = """mtllib thing.mtl
v 0 0 0
v 10 0 0
v 10 20 0
v 0 20 0
v 0 0 -5
vt 0 0
vt 1 0
vt 1 1
vt 0 1
usemtl cloth
f 1/1 2/2 3/3 4/4
usemtl wood
f -1 1 2
"""
MTL = "newmtl cloth\nKd 1 1 1\nmap_Kd cloth.png\nnewmtl wood\nKd 0.5 0.25 0.125\nd 0.1\n"
PROPERTIES = """id#1=Test#thing
name#1=Th\\u00e9 thing
model#1=/things/thing.obj
width#1=50
depth#1=30
height#1=100
creator#1=Somebody
"""


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """A furniture package with one thing in one catalogue, and an empty cache."""
    import cv2

    texture = np.zeros((4, 4, 3), np.uint8)
    texture[0] = (0, 0, 255)
    with zipfile.ZipFile(tmp_path / "Scopia.sh3f", "w") as archive:
        archive.writestr("PluginFurnitureCatalog.properties", PROPERTIES)
        archive.writestr("things/thing.obj", OBJ)
        archive.writestr("things/thing.mtl", MTL)
        archive.writestr("things/cloth.png", cv2.imencode(".png", texture)[1].tobytes())
    monkeypatch.setattr(furniture, "DIRECTORY", tmp_path)
    monkeypatch.setattr(furniture, "_archives", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_a_model_gets_its_catalogue_size_upright_and_its_materials(directory):
    mesh = furniture.load_model("scopia/thing")
    assert mesh.size() == pytest.approx((0.5, 0.3, 1.0))
    cloth, wood = mesh.parts
    assert len(cloth.faces) == 2 and len(wood.faces) == 1
    assert wood.rgba == pytest.approx((0.5, 0.25, 0.125, 0.3)) and wood.texture is None
    assert cloth.texture[0, 0].tolist() == [255, 0, 0]
    top = cloth.vertices[:, 2].argmax()
    corner = cloth.face_uv[np.where(cloth.faces == top)][0]
    assert cloth.uv[corner][1] == 0.0


def test_it_comes_from_the_cache_the_second_time(directory):
    first = furniture.load_model("scopia/thing")
    (directory / "Scopia.sh3f").unlink()
    furniture._archives.clear()
    second = furniture.load_model("scopia/thing")
    assert all(
        (a.vertices == b.vertices).all() and a.rgba == b.rgba for a, b in zip(first.parts, second.parts)
    )


def test_credit(directory):
    assert furniture.credit("scopia/thing") == furniture.Credit(
        "scopia/thing", "Thé thing", "Somebody", "CC BY 3.0"
    )


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("nowhere/thing", ValueError, "names no catalogue"),
        ("scopia/nothing", ValueError, "is not in Scopia.sh3f"),
        ("by/thing", furniture.FurnitureMissing, "apt install sweethome3d-furniture"),
    ],
)
def test_what_is_not_there_is_said(directory, name, error, said):
    with pytest.raises(error, match=said):
        furniture.load_model(name)


@pytest.mark.skipif(
    not furniture.available(), reason="the Debian package sweethome3d-furniture is not installed"
)
@pytest.mark.parametrize("name", ["cc0/bed2", "by/kitchenKnife", "kator/coffee-mug", "scopia/sneakers"])
def test_real_models_have_real_sizes(name):
    category = next(c for c, models in catalogue.MODELS.items() if name in models)
    longest = {"bed": 2.137, "knife": 0.263, "cup": 0.12, "shoes": 0.356}[category]
    mesh = furniture.load_model(name)
    assert mesh.size().max() == pytest.approx(longest, rel=0.01)
    assert furniture.credit(name).creator
