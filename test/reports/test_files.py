# SPDX-License-Identifier: Apache-2.0
"""What people reported of picture files: turned by EXIF, cut, cut out; and of annotations that mean something else."""
from __future__ import annotations

import json

import numpy as np
import pytest
from pictures import PICTURE, file_of, with_orientation

from clipseg_ros.lab.datasets.folder import FolderWriter, read_folder
from clipseg_ros.lab.datasets.image_files import read_cut_out, read_image, read_mask, write_image
from clipseg_ros.lab.training.phrasecut import PhraseCutPairs

MASK = np.zeros((48, 64), np.uint8)
MASK[2:9, 3:20] = 255
SQUARE = [[1, 1], [3, 1], [3, 3], [1, 3]]


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_turns_a_picture_and_its_mask(tmp_path, orientation):
    (tmp_path / "photo.jpg").write_bytes(with_orientation(file_of(PICTURE), orientation))
    (tmp_path / "mask.png").write_bytes(with_orientation(file_of(MASK, ".png"), orientation))
    picture, mask = read_image(tmp_path / "photo.jpg"), read_mask(tmp_path / "mask.png")
    assert picture.shape[:2] == mask.shape
    back = {3: 2, 6: 1, 8: 3}[orientation]
    assert np.array_equal(np.rot90(mask, back), MASK > 0)
    assert np.abs(np.rot90(picture, back).astype(int) - PICTURE).max() <= 8


def test_a_cut_file_is_no_half_grey_picture(tmp_path):
    data = file_of(PICTURE)
    (tmp_path / "cut.jpg").write_bytes(data[:len(data) - 300])
    with pytest.raises(ValueError, match="cut.jpg is a JPEG file that ends in its data; it must be complete"):
        read_image(tmp_path / "cut.jpg")
    (tmp_path / "whole.jpg").write_bytes(data[:-2])
    assert np.array_equal(read_image(tmp_path / "whole.jpg").shape, PICTURE.shape)


def test_the_transparency_of_a_cut_out_is_the_mask(tmp_path):
    write_image(tmp_path / "cut.png", np.dstack([PICTURE, MASK]))
    for mask in (read_cut_out(tmp_path / "cut.png"), read_mask(tmp_path / "cut.png")):
        assert np.array_equal(mask, MASK > 0)


@pytest.mark.parametrize(("polygons", "says"), [
    ([[[[float("nan"), 1], [3, 1], [3, 3]]]], "a polygon has the coordinate nan; it must be a number of pixels"),
    ([[[[None, 1], [3, 1], [3, 3]]]], "a polygon has the coordinate nan"),
    ([[[[1e9, 1], [3, 1], [3, 3]]]], "a polygon has the coordinate 1e\\+09"),
    ([[[[1, 1], [3, 1], [float("inf"), 3]]]], "a polygon has the coordinate inf"),
    ([SQUARE], r"Polygons holds \[1, 1\] for a polygon; it must be a list of points"),
    ([[[SQUARE]]], "Polygons holds .* for a polygon"),
    ([[[1, 1, 3, 1, 3, 3]]], r"Polygons holds \[1, 1, 3, 1, 3, 3\] for a polygon"),
    ([[[[1, 1, 0], [3, 1, 0]]]], "for a polygon"),
    ([[[[1, 1], [3]]]], "for a polygon"),
    ([[[["a", "b"]]]], "for a polygon"),
    ([[{"x": 1}]], "for a polygon"),
    (SQUARE, "Polygons holds 1 for a polygon; it must be a list of points"),
    ([1, 1, 3, 1], "without PhraseCut's image_id, phrase and Polygons"),
    ([["1, 1, 3, 1"]], "for a polygon"),
    ("1 1 3 3", "without PhraseCut's image_id, phrase and Polygons"),
    (None, "without PhraseCut's image_id, phrase and Polygons"),
])
def test_polygons_that_mean_something_else_are_refused(tmp_path, polygons, says):
    entry = {"image_id": 7, "phrase": "red cup", "Polygons": polygons}
    (tmp_path / "refer_train.json").write_text(json.dumps([entry]))
    with pytest.raises(ValueError, match=f"refer_train.json.*{says}"):
        PhraseCutPairs(tmp_path)


def test_an_absolute_path_inside_the_folder_does_not_lead_out_of_it(tmp_path):
    with FolderWriter(tmp_path) as folder:
        image = folder.add_image(np.full((4, 6, 3), 90, np.uint8))
    record = {"image": str(tmp_path / image), "mask": None, "phrase": "mug"}
    (tmp_path / "prompts.jsonl").write_text(json.dumps(record) + "\n")
    sample, = read_folder(tmp_path)
    assert sample.load_image().shape == (4, 6, 3)
    (tmp_path / "prompts.jsonl").write_text(json.dumps({**record, "image": "/etc/hostname"}) + "\n")
    with pytest.raises(ValueError, match="leads out of"):
        read_folder(tmp_path)
