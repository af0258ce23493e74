# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clipseg_ros.lab.scenes.recorded import DIRECTORY, load_recorded, save_recorded
from clipseg_ros.lab.scenes.vocabulary import AFFORDANCES


@pytest.fixture(scope="module")
def scenes():
    return load_recorded()


def test_they_are_what_a_camera_gives(scenes):
    assert len(scenes) >= 5
    for scene in scenes:
        assert scene.rgb.shape == (480, 640, 3) and scene.ids.shape == scene.depth.shape == (480, 640)
        assert scene.rgb.dtype == scene.ids.dtype == np.uint8
        known = np.isfinite(scene.depth)
        assert known.mean() > 0.99 and 0.2 < scene.depth[known].min() and scene.depth[known].max() < 10
        assert {o.id for o in scene.objects} == set(np.unique(scene.ids)) - {0}


def test_the_ground_truth_agrees_with_the_depth(scenes):
    for scene in scenes:
        for item in scene.objects:
            v, u = np.nonzero((scene.ids == item.id) & np.isfinite(scene.depth))
            z = scene.depth[v, u].astype(float)
            x = (u - scene.k[0, 2]) / scene.k[0, 0] * z
            y = (v - scene.k[1, 2]) / scene.k[1, 1] * z
            assert np.allclose((x.mean(), y.mean(), z.mean()), item.centroid, atol=0.02), item
            assert item.pixels == pytest.approx(len(v), rel=0.02)


def test_they_show_what_the_demonstration_asks_for(scenes):
    things = [o for scene in scenes for o in scene.objects if o.nameable]
    assert any((o.category, o.colour) == ("cup", "red") for o in things)
    assert {o.category for o in things} & set(AFFORDANCES["something to sit on"].categories)
    assert sum(o.category == "sofa" for o in things) and len({o.category for o in things}) >= 15


def test_they_are_small_and_every_model_is_credited(scenes):
    assert sum(p.stat().st_size for p in DIRECTORY.rglob("*") if p.is_file()) < 3_000_000
    credits = (DIRECTORY / "CREDITS.md").read_text()
    for model in {o.model for scene in scenes for o in scene.objects}:
        assert model.startswith("shape/") or f"| {model} |" in credits


def test_what_is_saved_is_loaded(scenes, tmp_path):
    save_recorded(scenes[:1], tmp_path / "new", quality=95)
    (loaded,) = load_recorded(tmp_path / "new")
    assert loaded.objects == scenes[0].objects and (loaded.ids == scenes[0].ids).all()
    assert np.allclose(loaded.depth, scenes[0].depth, atol=0.001, equal_nan=True)
    assert np.abs(loaded.rgb.astype(int) - scenes[0].rgb).mean() < 3


def test_a_missing_folder_or_picture_is_named(scenes, tmp_path):
    with pytest.raises(FileNotFoundError, match="scenes.jsonl is missing"):
        load_recorded(tmp_path)
    save_recorded(scenes[:1], tmp_path / "new")
    next(Path(tmp_path / "new" / "ids").iterdir()).unlink()
    with pytest.raises(FileNotFoundError, match="ids"):
        load_recorded(tmp_path / "new")
