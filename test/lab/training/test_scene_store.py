# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle

import numpy as np
import pytest
import shapes

from clipseg_ros.lab.training.scene_store import open_scenes


@pytest.fixture
def folder(tmp_path):
    shapes.write_scenes(tmp_path, 5, side=32)
    return tmp_path


def test_packed_scenes_equal_the_files(folder):
    stored, drawn = open_scenes(folder), shapes.store(5, side=32)
    assert np.array_equal(stored.images, drawn.images) and np.array_equal(stored.ids, drawn.ids)
    assert stored.objects == drawn.objects


def test_packing_takes_in_new_scenes_and_leaves_unfinished_lines(folder):
    assert len(open_scenes(folder)) == 5
    before = (folder / "packed" / "images.npy").stat().st_mtime_ns
    assert len(open_scenes(folder)) == 5 and (folder / "packed" / "images.npy").stat().st_mtime_ns == before
    index = folder / "scenes.jsonl"
    lines = index.read_text().splitlines(keepends=True)
    index.write_text("".join(lines) + lines[0] + '{"image": "images/0')
    assert len(open_scenes(folder)) == 6


def test_scenes_are_squashed_to_a_side(folder):
    stored = open_scenes(folder, side=16)
    assert stored.images.shape == (5, 16, 16, 3) and set(np.unique(stored.ids)) <= {0, 1, 2, 3}


def test_another_process_maps_the_same_files(folder):
    stored = open_scenes(folder)
    data = pickle.dumps(stored)
    assert len(data) < 1000 and np.array_equal(pickle.loads(data).ids, stored.ids)


def test_instances_are_nameable_objects(folder):
    stored, rng = open_scenes(folder), np.random.default_rng(0)
    for _ in range(20):
        category, image, mask = stored.instance(rng)
        assert category in shapes.SHAPES and image.shape == (32, 32, 3) and mask.any()


@pytest.mark.parametrize("line", ["{}", "not JSON", "[1]", '{"image": "a.png", "ids": null, "objects": []}',
                                  '{"image": "a.png", "ids": "b.png", "objects": [{"id": 1}]}'])
def test_lines_that_are_no_scene_are_refused_in_a_sentence(tmp_path, line):
    (tmp_path / "scenes.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match="scenes.jsonl holds a line that is no scene") as raised:
        open_scenes(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", [None, "\n"])
def test_folders_without_scenes_are_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "scenes.jsonl").write_text(text)
    with pytest.raises((FileNotFoundError, ValueError), match="scenes"):
        open_scenes(tmp_path)
