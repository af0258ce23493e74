# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.clipseg.unchanged import UnchangedScene, small_copy


class Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


def room(level: int = 100) -> np.ndarray:
    picture = np.full((48, 64, 3), level, np.uint8)
    picture[10:30, 20:40] = 200
    return picture


def test_a_small_copy_is_the_mean_of_each_part():
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:2, :2] = [[(100, 0, 200), (0, 0, 0)], [(0, 0, 0), (100, 0, 200)]]
    copy = small_copy(picture)
    assert copy.shape == (24, 32, 3)
    assert (copy[0, 0].tolist(), copy.sum()) == ([50, 0, 100], 150)


@pytest.mark.parametrize(("colour", "side"), [((200, 0, 0), 80), ((0, 0, 255), 80), ((130, 100, 100), 20)])
def test_a_small_thing_that_appears_is_a_change(colour, side):
    """The mean over the frame would hardly notice; of the first, the brightness would not either."""
    rng = np.random.default_rng(0)

    def frame() -> np.ndarray:
        return np.clip(np.full((480, 640, 3), 100) + rng.normal(0, 3, (480, 640, 3)), 0, 255).astype(np.uint8)
    scene = UnchangedScene()
    scene.encoded("front", frame())
    assert scene.holds("front", frame()), "noise is no change"
    changed = frame()
    changed[200:200 + side, 300:300 + side] = colour
    assert not scene.holds("front", changed)


@pytest.mark.parametrize(("change", "holds"), [
    (lambda picture: picture, True),
    (lambda picture: picture + np.random.default_rng(0).integers(0, 2, picture.shape, np.uint8), True),
    (lambda picture: picture + 3, False),
    (lambda picture: np.roll(picture, 12, axis=1), False),
    (lambda picture: picture[:40], False),
])
def test_noise_is_no_change_but_light_motion_and_size_are(change, holds):
    scene = UnchangedScene(difference=1.5, max_age=1.0)
    assert not scene.holds("front", room())
    scene.encoded("front", room())
    assert scene.holds("front", change(room())) is holds
    assert not scene.holds("rear", room())


def test_slow_changes_add_up_because_the_encoded_frame_is_what_counts():
    scene = UnchangedScene(difference=1.5, max_age=100.0)
    scene.encoded("front", room(100))
    assert [scene.holds("front", room(level)) for level in (101, 102, 103)] == [True, False, False]


def test_an_old_frame_is_encoded_again():
    clock = Clock()
    scene = UnchangedScene(difference=1.0, max_age=1.0, clock=clock)
    scene.encoded("front", room())
    clock.now = 11.0
    assert scene.holds("front", room())
    clock.now = 11.1
    assert not scene.holds("front", room())


def test_pictures_that_do_not_follow_each_other_are_not_compared():
    scene = UnchangedScene(cameras=["front"])
    for camera in ("front", "requests"):
        scene.encoded(camera, room())
    assert [scene.holds(camera, room()) for camera in ("front", "requests")] == [True, False]


@pytest.mark.parametrize(("given", "says"), [({"difference": -1.0}, "difference is -1"), ({"max_age": 0.0}, "age is 0")])
def test_settings_that_cannot_be(given, says):
    with pytest.raises(ValueError, match=says):
        UnchangedScene(**given)


def test_a_segmenter_encodes_an_unchanged_scene_once_and_answers_every_frame(monkeypatch):
    encoded = []
    original = CLIPSeg.encode_image
    monkeypatch.setattr(CLIPSeg, "encode_image", lambda self, pixels: encoded.append(1) or original(self, pixels))
    segmenter = Segmenter(CLIPSeg(SMALL), device="cpu", unchanged=UnchangedScene(difference=1.5, max_age=1000.0))
    noisy = room() + np.random.default_rng(0).integers(0, 2, room().shape, np.uint8)
    first = segmenter.segment(room(), "mug", camera="front")
    again = segmenter.segment(noisy, ["mug", "chair"], camera="front")
    assert len(encoded) == 1
    np.testing.assert_allclose(again[0], first[0], atol=1e-5)
    segmenter.segment(room(160), "mug", camera="front")
    assert len(encoded) == 2
