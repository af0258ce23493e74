# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.perception.masks import label_image
from clipseg_ros.perception.overlay import COLOURS, draw_overlay

GREY = np.full((240, 320, 3), 100, np.uint8)


def blob(rows: slice, columns: slice) -> np.ndarray:
    probability = np.zeros(GREY.shape[:2], np.float32)
    probability[rows, columns] = 0.9
    return probability


TWO = np.stack([blob(slice(150, 200), slice(20, 80)), blob(slice(150, 200), slice(200, 280))])


def test_each_area_has_its_prompts_tint_and_an_outline_in_full_colour():
    picture = draw_overlay(GREY, TWO, [0.5, 0.5], ["mug", "chair"])
    assert (picture.shape, picture.dtype) == (GREY.shape, np.uint8)
    for index, (row, column) in enumerate([(175, 50), (175, 240)]):
        expected = 0.55 * 100 + 0.45 * COLOURS[index].astype(float)
        assert picture[row, column] == pytest.approx(expected, abs=1)
    assert picture[175, 20].tolist() == COLOURS[0].tolist()
    assert picture[175, 200].tolist() == COLOURS[1].tolist()
    assert picture[175, 140].tolist() == [100, 100, 100]


def test_the_image_itself_is_not_changed():
    before = GREY.copy()
    draw_overlay(GREY, TWO, [0.5, 0.5], ["mug", "chair"])
    assert (GREY == before).all()


def test_labels_that_are_there_already_give_the_same_picture():
    labels = label_image(TWO, [0.5, 0.5])
    assert (draw_overlay(GREY, TWO, [0.5, 0.5], ["a", "b"], labels=labels)
            == draw_overlay(GREY, TWO, [0.5, 0.5], ["a", "b"])).all()


def test_the_legend_names_every_prompt_in_its_colour():
    corner = draw_overlay(GREY, TWO * 0, [0.5, 0.5], ["mug", "chair"])[:60, :120].reshape(-1, 3)
    for colour in COLOURS[:2]:
        assert (corner == colour).all(axis=1).any()
    assert (corner > 200).all(axis=1).any()


def test_without_prompts_it_is_the_image():
    assert (draw_overlay(GREY, TWO[:0], [], []) == GREY).all()


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (200, 5)])
def test_images_too_small_for_a_legend_are_drawn(size):
    image = np.zeros((*size, 3), np.uint8)
    probabilities = np.ones((3, *size), np.float32)
    assert draw_overlay(image, probabilities, [0.5] * 3, ["täßchen", "b", "c" * 200]).shape == image.shape


@pytest.mark.parametrize(("image", "names", "says"), [
    (GREY[:10], ["a", "b"], "it must be uint8 of shape"),
    (GREY.astype(np.float32), ["a", "b"], "it must be uint8 of shape"),
    (GREY, ["a"], "1 names"),
])
def test_arguments_that_do_not_fit_are_named(image, names, says):
    with pytest.raises(ValueError, match=says):
        draw_overlay(image, TWO, [0.5, 0.5], names)
