# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.lab.scenes.vocabulary import CATEGORIES, COLOURS


@pytest.fixture(scope="module")
def scenes(home):
    return [home.scene(seed, kind=kind) for kind in ("table", "floor", "small") for seed in range(3)]


def points(scene, mask):
    """Points (N, 3) of a mask in the room, metres."""
    v, u = np.nonzero(mask)
    z = scene.depth[v, u]
    x, y = (u - scene.k[0, 2]) / scene.k[0, 0] * z, (v - scene.k[1, 2]) / scene.k[1, 1] * z
    return np.stack([x, y, z], 1) @ scene.camera_pose[:3, :3].T + scene.camera_pose[:3, 3]


def test_types_and_sizes(scenes):
    for scene in scenes:
        assert scene.rgb.shape == (96, 128, 3) and scene.rgb.dtype == np.uint8
        assert scene.depth.shape == scene.ids.shape == (96, 128)
        assert scene.depth.dtype == np.float32 and scene.ids.dtype == np.uint8
        assert scene.rgb.std() > 5 and 20 < scene.rgb.mean() < 235


def test_objects_are_those_of_the_ids(scenes):
    for scene in scenes:
        assert scene.objects and {o.id for o in scene.objects} == set(np.unique(scene.ids)) - {0}
        for item in scene.objects:
            assert item.category in CATEGORIES and (item.colour is None or item.colour in COLOURS)
            assert item.pixels == (scene.ids == item.id).sum()
            assert 0 < item.visible <= 1
            assert item.nameable == (item.pixels >= 0.003 * scene.ids.size and item.visible >= 0.25)


def test_depth_and_pose_put_every_object_where_it_stands(scenes):
    for scene in scenes:
        for item in scene.objects:
            if item.pixels < 30:
                continue
            seen = points(scene, scene.ids == item.id)
            reach = np.hypot(*item.size[:2]) / 2 + 0.02
            assert np.hypot(seen[:, 0] - item.pose[0], seen[:, 1] - item.pose[1]).max() < reach, item
            assert seen[:, 2].min() > -0.02 and np.ptp(seen[:, 2]) < item.size[2] + 0.02, item


def test_the_centroid_is_the_mean_of_the_visible_points(scenes):
    for scene in scenes:
        for item in scene.objects:
            here = scene.camera_pose @ np.array([*item.centroid, 1.0])
            assert here[:3] == pytest.approx(points(scene, scene.ids == item.id).mean(0), abs=1e-3)


def test_the_room_is_closed(scenes):
    for scene in scenes:
        everything = points(scene, np.ones_like(scene.ids, bool))
        assert scene.depth.max() < 15 and everything[:, 2].min() > -0.02


def test_the_same_seed_gives_the_same_scene_whatever_came_before(home, scenes):
    home.scene(77)
    again = home.scene(1, kind="floor")
    assert (again.rgb == scenes[4].rgb).all() and (again.ids == scenes[4].ids).all()
    assert again.objects == scenes[4].objects and (again.depth == scenes[4].depth).all()


def test_different_seeds_give_different_scenes(scenes):
    assert len({s.rgb.tobytes() for s in scenes}) == len(scenes)


def test_painted_objects_look_like_their_colour(home):
    from clipseg_ros.lab.scenes.colours import shade

    close, total = 0, 0
    for seed in range(12):
        scene = home.scene(100 + seed, depth=False)
        for item in scene.objects:
            if item.colour in (None, "black", "white", "grey", "brown") or item.pixels < 60:
                continue
            mean = scene.rgb[scene.ids == item.id].mean(0)
            wanted = np.array(shade(item.colour, np.random.default_rng(0)))
            total += 1
            close += mean @ wanted / np.linalg.norm(mean) / np.linalg.norm(wanted) > 0.9
    assert total > 10 and close / total > 0.85


def test_an_unknown_kind_is_refused(home):
    with pytest.raises(ValueError, match="give one of table, floor, small"):
        home.scene(0, kind="garden")


def test_held_out_homes_hold_only_held_out_models(rendering):
    from clipseg_ros.lab.scenes.home import Home

    home = Home(3, held_out=True, width=64, height=48)
    try:
        assert all(item.held_out for item in home.stock.items)
        scene = home.scene(0, depth=False)
        assert scene.depth is None and all(o.held_out and o.centroid is None for o in scene.objects)
    finally:
        home.close()


def test_stocks_of_training_hold_none_of_them(home):
    assert not any(item.held_out for item in home.stock.items)


def test_named_models_make_a_stock_and_unknown_ones_are_refused(rendering):
    from clipseg_ros.lab.scenes.stock import Stock

    stock = Stock(0, models=[("cup", "shape/mug"), ("sofa", "cc0/sofa2")])
    assert [item.model for item in stock.items] == ["shape/mug", "cc0/sofa2"]
    with pytest.raises(ValueError, match="category 'cup' has no model 'cc0/sofa2'"):
        Stock(0, models=[("cup", "cc0/sofa2")])
