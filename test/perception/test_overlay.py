# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.found import FoundObject
from clipseg_ros.perception.location import Location
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.overlay import COLOURS, draw_overlay
from clipseg_ros.perception.poses import Pose
from clipseg_ros.perception.regions import Region

GREY = np.full((240, 320, 3), 100, np.uint8)


def blob(rows: slice, columns: slice) -> np.ndarray:
    probability = np.zeros(GREY.shape[:2], np.float32)
    probability[rows, columns] = 0.9
    return probability


TWO = Maps(np.stack([blob(slice(150, 200), slice(20, 80)), blob(slice(150, 200), slice(200, 280))]), (0.5, 0.5))
NONE = Maps(TWO.values * 0, (0.5, 0.5))


def test_each_area_has_its_prompts_tint_and_an_outline_in_full_colour():
    picture = draw_overlay(GREY, TWO, ["mug", "chair"])
    assert (picture.shape, picture.dtype) == (GREY.shape, np.uint8)
    for index, (row, column) in enumerate([(175, 50), (175, 240)]):
        expected = 0.55 * 100 + 0.45 * COLOURS[index].astype(float)
        assert picture[row, column] == pytest.approx(expected, abs=1)
    assert picture[175, 20].tolist() == COLOURS[0].tolist()
    assert picture[175, 200].tolist() == COLOURS[1].tolist()
    assert picture[175, 140].tolist() == [100, 100, 100]


def test_the_image_itself_is_not_changed():
    before = GREY.copy()
    draw_overlay(GREY, TWO, ["mug", "chair"])
    assert (GREY == before).all()


def found(x: int, prompt_index: int = 0, *, track_id: int = 0, metres: float | None = None) -> FoundObject:
    region = Region(score=0.9, area=3000, centroid=(x + 29.5, 174.5), roi=(x, 150, 60, 50),
                    mask=np.full((50, 60), 255, np.uint8))
    pose = None if metres is None else Pose(np.array([0.0, 0.0, metres]), np.array([0.0, 0.0, 0.0, 1.0]), np.ones(3),
                                            np.eye(6))
    return FoundObject(region, "mug", prompt_index, Location(region.centroid, pose=pose), pose, track_id)


def test_two_objects_of_one_area_have_an_edge_between_them():
    maps = Maps(blob(slice(150, 200), slice(20, 140))[None], (0.5,))
    alone = draw_overlay(GREY, maps, ["mug"])
    picture = draw_overlay(GREY, maps, ["mug"], objects=[found(20), found(80)])
    changed = (picture != alone).any(axis=2)
    assert changed[160:190, 77:83].any(axis=1).all()
    assert not changed[155:195, 30:70].any(), "without number and distance nothing is written"


@pytest.mark.parametrize("known", [{"track_id": 7}, {"metres": 1.5}, {"track_id": 12, "metres": 0.4}])
def test_number_and_distance_are_written_above_an_object(known):
    maps = Maps(blob(slice(150, 200), slice(20, 80))[None], (0.5,))
    plain = draw_overlay(GREY, maps, ["mug"], objects=[found(20)])
    picture = draw_overlay(GREY, maps, ["mug"], objects=[found(20, **known)])
    changed = np.argwhere((picture != plain).any(axis=2))
    assert len(changed) > 100
    assert (np.abs(changed.mean(axis=0) - (145, 50)) < 10).all()
    top, left = changed.min(axis=0)
    written = picture[top:150, left:].reshape(-1, 3)
    assert (written == COLOURS[0]).all(axis=1).any(), "framed in the prompt's colour"
    assert written.max() > 200


@pytest.mark.parametrize("size", [(1, 1), (160, 70), (240, 320)])
def test_objects_at_the_edge_of_small_images_are_drawn(size):
    image = np.zeros((*size, 3), np.uint8)
    region = Region(score=0.9, area=1, centroid=(0.0, 0.0), roi=(size[1] - 1, size[0] - 1, 1, 1),
                    mask=np.full((1, 1), 255, np.uint8))
    one = FoundObject(region, "mug", 300, Location(region.centroid), None, 123456)
    maps = Maps(np.zeros((1, *size), np.float32), (0.5,))
    assert draw_overlay(image, maps, ["mug"], objects=[one]).shape == image.shape


def test_the_legend_names_every_prompt_in_its_colour():
    corner = draw_overlay(GREY, NONE, ["mug", "chair"])[:60, :120].reshape(-1, 3)
    for colour in COLOURS[:2]:
        assert (corner == colour).all(axis=1).any()
    assert (corner > 200).all(axis=1).any()


def test_without_prompts_it_is_the_image():
    assert (draw_overlay(GREY, Maps.empty(GREY.shape[:2]), []) == GREY).all()


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (200, 5)])
def test_images_too_small_for_a_legend_are_drawn(size):
    image = np.zeros((*size, 3), np.uint8)
    maps = Maps(np.ones((3, *size), np.float32), (0.5,) * 3)
    assert draw_overlay(image, maps, ["täßchen", "b", "c" * 200]).shape == image.shape


@pytest.mark.parametrize(("image", "names", "says"), [
    (GREY[:10], ["a", "b"], "it must be uint8 of shape"),
    (GREY.astype(np.float32), ["a", "b"], "it must be uint8 of shape"),
    (GREY, ["a"], "1 names"),
])
def test_arguments_that_do_not_fit_are_named(image, names, says):
    with pytest.raises(ValueError, match=says):
        draw_overlay(image, TWO, names)
