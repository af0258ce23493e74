# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import importlib.util

import cv2
import numpy as np
import pytest

from clipseg_ros.commands import scenes
from clipseg_ros.lab.datasets.folder import read_folder, read_scenes
from clipseg_ros.lab.scenes import furniture

NEEDS_RENDERING = pytest.mark.skipif(
    importlib.util.find_spec("mujoco") is None or not furniture.available(),
    reason="mujoco (extra 'scenes') or the Debian package sweethome3d-furniture is not installed",
)


def parse(*arguments):
    parser = argparse.ArgumentParser()
    scenes.configure(parser)
    return parser.parse_args([str(a) for a in arguments])


@NEEDS_RENDERING
def test_it_writes_a_folder_that_the_evaluation_reads(tmp_path):
    assert scenes.run(parse(8, "-o", tmp_path / "home", "--size", "160x120")) == 0
    samples = read_folder(tmp_path / "home")
    assert {"noun", "absent", "visual"} <= {s.type for s in samples}
    for sample in samples:
        assert sample.load_image().shape == (120, 160, 3)
        assert sample.load_mask((120, 160)).any() == (sample.type != "absent")
        assert (sample.load_visual() is not None) == (sample.type == "visual")
    records = read_scenes(tmp_path / "home")
    assert len(records) == 8
    for record in records.values():
        depth = cv2.imread(str(record["depth"]), cv2.IMREAD_UNCHANGED)
        ids = cv2.imread(str(record["ids"]), cv2.IMREAD_UNCHANGED)
        assert depth.dtype == np.uint16 and 100 < np.median(depth) < 15000
        assert set(np.unique(ids)) - {0} == {o["id"] for o in record["objects"]}
        assert np.shape(record["K"]) == (3, 3) and np.shape(record["camera_pose"]) == (4, 4)


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "prompts.jsonl").write_text("{}\n")
    with pytest.raises(FileExistsError):
        scenes.run(parse(1, "-o", tmp_path))


@pytest.mark.skipif(
    importlib.util.find_spec("mujoco") is None, reason="mujoco (extra 'scenes') is not installed"
)
def test_without_the_furniture_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(furniture, "DIRECTORY", tmp_path)
    with pytest.raises(ImportError, match="apt install sweethome3d-furniture"):
        scenes.run(parse(1, "-o", tmp_path / "home"))
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "arguments", [("0", "-o", "x"), ("two", "-o", "x"), ("1",), ("1", "-o", "x", "--size", "10x10")]
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(*arguments)
    assert stop.value.code == 2 and "usage" in capsys.readouterr().err
