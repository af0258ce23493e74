# SPDX-License-Identifier: Apache-2.0
import sys
import types

import numpy as np
import pytest

from clipseg_ros.lab.datasets.folder import FolderWriter
from clipseg_ros.lab.evaluation.pictures import FolderPictures
from clipseg_ros.lab.evaluation.run import evaluate
from clipseg_ros.lab.evaluation.simulated import SimulatedPictures, scene_pictures, simulated_home
from clipseg_ros.lab.scenes import stream
from clipseg_ros.lab.scenes.export import write_scene
from clipseg_ros.lab.scenes.recorded import load_recorded
from clipseg_ros.lab.scenes.supports import Supports


class Oracle:
    """Answers every question about the pictures, in their order, with its mask."""

    def __init__(self, pictures):
        self.answers = iter([np.float32([question.mask for question in p.questions]) for p in pictures])

    def segment(self, image, prompts):
        return next(self.answers)


@pytest.fixture(scope="module")
def pictures():
    return list(scene_pictures(load_recorded()))


def test_a_perfect_answer_scores_perfectly_in_the_home(pictures):
    figures = evaluate(Oracle(pictures), pictures).figures
    assert figures["present"]["miou"] == figures["present"]["ap"] == 1.0
    assert figures["present"]["right_object"] == 1.0 and figures["absent"]["empty"] == 1.0
    assert set(figures) >= {"noun", "colour", "affordance", "absent", "visual"}


def test_masks_and_instances_belong_together(pictures):
    for picture in pictures:
        for question in picture.questions:
            meant = set(np.unique(picture.ids[question.mask]))
            assert 0 not in meant and np.isin(picture.ids, list(meant)).sum() == question.mask.sum()
            assert question.mask.any() == (question.type != "absent")
        assert set(picture.objects) <= set(np.unique(picture.ids))


def test_a_written_home_asks_the_same(pictures, tmp_path):
    supports = Supports()
    with FolderWriter(tmp_path) as folder:
        for scene in load_recorded():
            write_scene(folder, scene, supports)
    written = list(FolderPictures(tmp_path))
    assert len(written) == len(pictures)
    for one, other in zip(written, pictures):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.ids, other.ids)
        assert one.objects == other.objects
        for a, b in zip(one.questions, other.questions, strict=True):
            assert (a.phrase, a.type, a.category) == (b.phrase, b.type, b.category)
            np.testing.assert_array_equal(a.mask, b.mask)
            if b.support is not None:
                np.testing.assert_array_equal(a.support[0], b.support[0])
                np.testing.assert_array_equal(a.support[1], b.support[1])


def test_without_a_renderer_the_recorded_scenes_are_asked(monkeypatch, pictures):
    monkeypatch.setitem(sys.modules, "clipseg_ros.lab.scenes.home", None)
    found, name = simulated_home(None)
    assert "recorded" in name and [p.name for p in found] == [p.name for p in pictures]
    assert len(simulated_home(2)[0]) == 2
    with pytest.raises(ImportError, match="cannot be rendered"):
        simulated_home(None, held_out=True)


@pytest.mark.parametrize(("arguments", "says"), [((0, 0), "limit is 0"), ((1, -1), "seed is -1")])
def test_bad_numbers_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        SimulatedPictures(arguments[0], seed=arguments[1])


def test_rendered_scenes_are_asked(monkeypatch, pictures):
    asked = []

    def stream_scenes(count, **options):
        asked.append((count, options))
        return iter(load_recorded()[:count])

    monkeypatch.setitem(sys.modules, "clipseg_ros.lab.scenes.home", types.ModuleType("home"))
    monkeypatch.setattr(stream, "stream_scenes", stream_scenes)
    found, name = simulated_home(2, seed=3, held_out=True)
    assert len(found) == 2 and "seed 3" in name and "held-out" in name
    assert [picture.name for picture in found] == [picture.name for picture in pictures[:2]]
    assert asked == [(2, {"seed": 3, "held_out": True})]
