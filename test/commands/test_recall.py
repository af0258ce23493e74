# SPDX-License-Identifier: Apache-2.0
"""`clipseg recall` on a folder: a table of things with places, a plan, and a sentence for what is missing."""
from __future__ import annotations

import argparse

import cv2
import pytest

from clipseg_ros.commands import recall
from clipseg_ros.lab.datasets.folder import FolderWriter
from clipseg_ros.lab.scenes.export import describe
from clipseg_ros.lab.scenes.recorded import load_recorded


def parse(*arguments):
    parser = argparse.ArgumentParser()
    recall.configure(parser)
    return parser.parse_args([str(one) for one in arguments])


def write(folder, *, with_pose=True):
    scene = load_recorded()[1]
    known = describe(scene)
    if not with_pose:
        del known["camera_pose"]
    with FolderWriter(folder) as writer:
        writer.add_scene(writer.add_image(scene.rgb), depth=scene.depth, **known)
    return scene


def test_things_of_a_folder_are_listed_and_drawn(tmp_path, capsys):
    scene = write(tmp_path / "frames")
    plan = tmp_path / "plan.png"
    assert recall.run(parse(tmp_path / "frames", "-p", "bottle=0.5; hammer", "--device", "cpu", "--map", plan)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 frames, 1 kept")
    row = next(line for line in lines if line.startswith("bottle")).split()
    bottle = next(thing for thing in scene.objects if thing.category == "bottle")
    true = scene.camera_pose[:3, :3] @ bottle.centroid + scene.camera_pose[:3, 3]
    assert [float(value) for value in row[3:6]] == pytest.approx(true, abs=0.05)
    assert row[1] == "000000.png" and row[6] == "1"
    assert next(line for line in lines if line.startswith("hammer")).split()[1:3] == ["-", "-"]
    assert cv2.imread(str(plan)).std() > 10


def test_a_folder_without_poses_or_a_plan_of_another_kind_is_refused(tmp_path):
    write(tmp_path / "frames", with_pose=False)
    with pytest.raises(ValueError, match="has no camera_pose"):
        recall.run(parse(tmp_path / "frames", "-p", "cup"))
    with pytest.raises(ValueError, match=r"must end in \.png"):
        recall.run(parse(tmp_path / "frames", "-p", "cup", "--map", "plan.gif"))
