# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import numpy as np
import pytest
from pictures import with_orientation

from clipseg_ros.lab.datasets.image_files import write_image
from clipseg_ros.lab.training.phrasecut import PhraseCutPairs, polygon_mask

SQUARE = [[1, 1], [3, 1], [3, 3], [1, 3]]


def task(image_id: int, phrase: str, polygons: list) -> dict:
    return {
        "task_id": f"{image_id}__1",
        "image_id": image_id,
        "ann_ids": [1],
        "instance_boxes": [[1, 1, 2, 2]],
        "Polygons": polygons,
        "phrase": phrase,
        "phrase_structure": {"name": phrase},
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for number in (7, 8):
        write_image(tmp_path / "images" / f"{number}.jpg", np.full((6, 8, 3), 20 * number, np.uint8), jpeg_quality=95)
    tasks = [
        task(7, "red cup", [[SQUARE]]),
        task(8, "red cup", [[[[5, 0], [7, 0], [7, 5], [5, 5]]]]),
        task(8, "dog", [[SQUARE]]),
    ]
    (tmp_path / "refer_train.json").write_text(json.dumps(tasks))
    return tmp_path


def test_polygons_by_hand():
    mask = polygon_mask([np.array(SQUARE, np.float32)], (5, 6))
    expected = np.zeros((5, 6), bool)
    expected[1:4, 1:4] = True  # the border belongs to the polygon
    assert np.array_equal(mask, expected)


def test_overlapping_polygons_are_united():
    other = np.array([[2, 2], [4, 2], [4, 4], [2, 4]], np.float32)
    mask = polygon_mask([np.array(SQUARE, np.float32), other], (6, 6))
    assert mask.sum() == 9 + 9 - 4 and mask[2, 2] and mask[3, 3]


def test_reads_the_annotation_file(folder):
    pairs = PhraseCutPairs(folder)
    assert [pairs.phrase(n) for n in range(len(pairs))] == ["red cup", "red cup", "dog"]
    image, mask = pairs.load(1)
    assert image.shape == (6, 8, 3) and mask.shape == (6, 8)
    assert mask[:, 5:].all() and not mask[:, :5].any()


def test_phrases_of_one_picture_are_known(folder):
    pairs = PhraseCutPairs(folder)
    assert all(pairs.picture(n) == pairs._tasks[n].image_id for n in range(len(pairs)))


def test_support_is_another_picture_of_the_same_phrase(folder):
    pairs, rng = PhraseCutPairs(folder), np.random.default_rng(0)
    assert np.array_equal(pairs.support(0, rng).mask, pairs.load(1).mask)
    assert pairs.support(2, rng) is None


def test_masks_follow_a_picture_of_another_size(folder):
    (folder / "image_data_split3000.json").write_text(json.dumps([{"image_id": 7, "width": 16, "height": 12}]))
    mask = PhraseCutPairs(folder).load(0).mask
    assert mask.shape == (6, 8) and 0 < mask.sum() <= 4


@pytest.mark.parametrize("text", ["{}", "[{]", "[", '[{"image_id": 1}]', "[]"])
def test_other_files_are_refused(folder, text):
    (folder / "refer_train.json").write_text(text)
    with pytest.raises(ValueError, match="refer_train.json"):
        PhraseCutPairs(folder)


@pytest.mark.parametrize("change", [{"image_id": 7.5}, {"image_id": "7"}, {"image_id": True}, {"phrase": None},
                                    {"phrase": " "}, {"phrase": 5}])
def test_other_names_and_phrases_are_refused(folder, change):
    (folder / "refer_train.json").write_text(json.dumps([task(7, "red cup", [[SQUARE]]) | change]))
    with pytest.raises(ValueError, match="image_id must be a whole number and phrase a text that is not empty"):
        PhraseCutPairs(folder)


@pytest.mark.parametrize("change", [{"width": 0}, {"height": -6}, {"width": 8.5}, {"width": 1e9}, {"height": None},
                                    {"image_id": "7"}, {"width": 65536}])
def test_other_sizes_are_refused(folder, change):
    (folder / "image_data_split3000.json").write_text(json.dumps([{"image_id": 7, "width": 8, "height": 6} | change]))
    with pytest.raises(ValueError, match="split3000.json holds the entry .* must be whole numbers, the sides from"):
        PhraseCutPairs(folder)


def test_empty_polygons_are_nothing(folder):
    (folder / "refer_train.json").write_text(json.dumps([task(7, "red cup", [[[], SQUARE], []])]))
    assert PhraseCutPairs(folder).load(0).mask.sum() == 9


def test_polygons_count_the_pixels_of_the_file(folder):
    """The people who drew them saw pictures as they are stored."""
    path = folder / "images" / "7.jpg"
    path.write_bytes(with_orientation(path.read_bytes(), 6))
    image, mask = PhraseCutPairs(folder).load(0)
    assert image.shape == (6, 8, 3) and mask[1:4, 1:4].all()


def test_missing_annotations(tmp_path):
    with pytest.raises(FileNotFoundError, match="refer_val.json"):
        PhraseCutPairs(tmp_path, "val")
