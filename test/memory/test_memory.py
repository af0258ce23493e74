# SPDX-License-Identifier: Apache-2.0
"""A camera in a room with a box: what is remembered of it, where it is, and what became of it."""
from __future__ import annotations

import errno
from dataclasses import replace

import numpy as np
import pytest
from networks import SIDE, network

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.memory import Memory, Novelty
from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.transforms import Transform

WIDTH, HEIGHT = 160, 120
CAMERA = Pinhole(140.0, 140.0, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, (WIDTH, HEIGHT))
WALL, HALF = 4.0, 0.15
"""Metres from the wall x = 4 to the origin, and half of a box's side; cameras look along x, y is to their left."""
LOOKING = np.array([[0, 0, 1.0], [-1, 0, 0], [0, -1, 0]])


class Seer:
    """Takes what is green for any prompt; keeps the picture as features."""

    threshold, fingerprint, features_shape = 0.5, "green", (1, HEIGHT * WIDTH, 1)

    def check(self, prompts):
        pass

    def features(self, image, *, camera=""):
        return (image[..., 1] > 150).reshape(self.features_shape).astype(np.float16)

    def maps_of(self, features, prompts, thresholds, *, sizes):
        greens = [one.reshape(HEIGHT, WIDTH).astype(np.float32) for one in features]
        return [Maps(np.stack([green] * len(prompts)), tuple(thresholds)) for green in greens]


def pose(x=0.0, y=0.0, *, turn=0.0) -> Transform:
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ LOOKING
    matrix[:3, 3] = x, y, 0
    return Transform.from_matrix(matrix)


def picture(where: Transform, boxes=((2.0, 0.0),), colour=(0, 200, 0)) -> tuple[np.ndarray, np.ndarray]:
    """What a camera sees of green boxes at (x, y) before a grey wall, by ray casting, and its depth."""
    rays = np.concatenate([CAMERA.rays, np.ones((HEIGHT, WIDTH, 1))], axis=2) @ where.matrix.T
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (WALL - where.translation[0]) / rays[..., 0]
        depth[~(depth > 0) | (depth > 50)] = np.nan
        rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        for x, y in boxes:
            low, high = np.array([x, y, 0]) - HALF - where.translation, np.array([x, y, 0]) + HALF - where.translation
            first, last = np.sort([low / rays, high / rays], axis=0)
            near, far = first.max(axis=2), last.min(axis=2)
            hit = (near < far) & (near > 0) & ~(near > depth)
            rgb[hit], depth[hit] = colour, near[hit]
    return rgb, depth.astype(np.float32)


def see(memory: Memory, stamp: float, where: Transform, boxes=((2.0, 0.0),), **known):
    image, depth = picture(where, boxes)
    return memory.add(image, **{"pose": where, "depth": depth, "camera": CAMERA, "stamp": stamp, **known})


def tour(memory: Memory, start: float = 0.0, boxes=((2.0, 0.0),)) -> None:
    for step, y in enumerate(np.linspace(-0.6, 0.6, 5)):
        see(memory, start + step, pose(0, y, turn=-y / 2), boxes)


def test_a_thing_that_many_views_show_is_told_once_with_its_place_and_its_views():
    memory = Memory(Seer())
    tour(memory)
    found, = memory.recall("box")
    assert found.views == len(memory) == 5
    assert (found.first_seen, found.last_seen) == (0.0, 4.0)
    assert found.score == pytest.approx(1.0, abs=0.1)
    face = np.array([2.0 - HALF, 0.0, 0.0])
    np.testing.assert_allclose(found.found.pose.position, face, atol=0.05)
    np.testing.assert_allclose(found.points.min(axis=0), [2 - HALF, -HALF, -HALF], atol=0.04)
    towards = face - found.view.pose.translation
    np.testing.assert_allclose(found.bearing, towards / np.linalg.norm(towards), atol=0.03)


def test_things_side_by_side_stay_two():
    memory = Memory(Seer())
    tour(memory, boxes=((2.0, -0.25), (2.0, 0.25)))
    places = sorted(float(one.found.pose.position[1]) for one in memory.recall("box"))
    np.testing.assert_allclose(places, [-0.25, 0.25], atol=0.06)


@pytest.mark.parametrize("now", [((2.0, 0.7),), ()])
def test_a_thing_that_was_moved_or_taken_is_not_where_it_was(now):
    memory = Memory(Seer())
    tour(memory)
    tour(memory, 100.0, boxes=now)
    places = [one.found.pose.position[1] for one in memory.recall("box")]
    np.testing.assert_allclose(places, [y for _, y in now], atol=0.06)


def test_a_thing_that_is_hidden_now_is_still_remembered():
    memory = Memory(Seer(), novelty=Novelty(max_age=10.0))
    tour(memory)
    where = pose(0, 0)
    image, depth = picture(where)
    memory.add(np.full_like(image, 90), pose=where, depth=np.minimum(depth, 1.0), camera=CAMERA, stamp=100.0)
    assert len(memory.recall("box")) == 1


def test_without_depth_views_have_bearings_and_no_place_and_without_calibration_neither():
    memory = Memory(Seer())
    see(memory, 0.0, pose(), depth=None)
    found, = memory.recall("box")
    assert found.found.pose is None and not len(found.points)
    np.testing.assert_allclose(found.bearing, [1, 0, 0], atol=0.01)
    memory = Memory(Seer())
    see(memory, 0.0, pose(), depth=None, camera=None)
    assert memory.recall("box")[0].bearing is None


def test_a_recall_goes_in_steps_and_ends_when_its_time_is_up():
    memory = Memory(Seer())
    for stamp in range(20):
        see(memory, stamp, pose(0, stamp * 0.3))
    recall = memory.start(["box", "other"])
    assert recall.step() and recall.searched == 8 and recall.total == 20
    tour(memory, 50.0)
    while recall.step():
        pass
    assert recall.searched == 20
    clock = iter(range(100))
    cut = memory.start("box").run(1.5, clock=lambda: next(clock))
    assert cut.searched == 16
    assert min(viewer.frame.stamp for viewer in cut._viewers) > 5, "the newest first"


def test_corrected_poses_move_things_and_forgetting_takes_what_it_should():
    memory = Memory(Seer())
    tour(memory)
    shift = Transform(np.array([0.0, 5.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))
    memory.correct_poses({frame.number: shift @ frame.pose for frame in memory.keyframes} | {99: shift})
    assert memory.recall("box")[0].found.pose.position[1] == pytest.approx(5.0, abs=0.05)
    assert memory.forget(around=(2.0, -3.0, 0.0), radius=0.5) == 0
    assert memory.forget(before=2.0) == 2
    assert memory.forget(around=(1.9, 5.0, 0.0), radius=0.3, before=3.0) == 1
    assert memory.forget() == 2 and memory.recall("box") == [] and memory.nbytes == 0


def test_memories_survive_a_restart(tmp_path):
    memory, again = Memory(Seer()), Memory(Seer())
    tour(memory)
    see(memory, 9.0, pose(0, 3), depth=None, camera=replace(CAMERA, distortion=(0.1, 0, 0, 0)), name="rear")
    memory.save(tmp_path / "memory.safetensors")
    again.load(tmp_path / "memory.safetensors")
    for one, other in zip(memory.keyframes, again.keyframes, strict=True):
        assert (one.camera, one.stamp, one.jpeg, one.view, one.size) == (
            other.camera, other.stamp, other.jpeg, other.view, other.size)
        np.testing.assert_array_equal(one.features, other.features)
        np.testing.assert_array_equal(one.pose.translation, other.pose.translation)
        assert (one.depth is None) == (other.depth is None)
    assert len(again.recall("box")) == len(memory.recall("box"))
    assert see(again, 10.0, pose(0, 9)).number == len(again) - 1


def test_files_that_cannot_be_used_are_refused_and_left_alone(tmp_path):
    memory, path = Memory(Seer()), tmp_path / "memory.safetensors"
    tour(memory)
    memory.save(path)
    whole = path.read_bytes()
    other = Seer()
    other.fingerprint = "blue"
    small = Seer()
    small.features_shape = (1, 1, 1)
    cases = [(whole, other, "other weights"), (whole, small, "input size"), (whole[:-100], Seer(), "damaged"),
             (b"rubbish", Seer(), "no memory"), (whole.replace(b'"depth', b'"drpth', 1), Seer(), "damaged|no memory")]
    for content, seer, sentence in cases:
        path.write_bytes(content)
        refusing = Memory(seer)
        with pytest.raises(ValueError, match=sentence):
            refusing.load(path)
        assert len(refusing) == 0 and path.read_bytes() == content
    path.write_bytes(b"rubbish")
    with pytest.raises(ValueError, match="no memory"):
        memory.save(path)
    assert path.read_bytes() == b"rubbish"
    with pytest.raises(FileNotFoundError):
        memory.load(tmp_path / "none")


def test_a_full_disk_loses_nothing_that_was_saved(tmp_path, monkeypatch):
    memory, path = Memory(Seer()), tmp_path / "memory.safetensors"
    tour(memory)
    memory.save(path)
    saved = path.read_bytes()

    def full(arrays, target, metadata):
        with open(target, "wb") as stream:
            stream.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("clipseg_ros.memory.file.save_file", full)
    with pytest.raises(OSError, match="No space"):
        memory.save(path)
    assert path.read_bytes() == saved and list(tmp_path.iterdir()) == [path]


def test_a_frame_is_encoded_once_for_the_memory_and_for_everything_else(monkeypatch):
    segmenter = Segmenter(network(), device="cpu")
    encoded, encode = [], segmenter._backend.encode
    monkeypatch.setattr(segmenter._backend, "encode", lambda images: encoded.append(1) or encode(images))
    memory, (image, depth) = Memory(segmenter), picture(pose())
    segmenter.segment(image, "mug", camera="front")
    known = {"depth": depth, "camera": CAMERA, "stamp": 0.0, "name": "front"}
    assert memory.add(image, pose=pose(), **known) is not None
    assert memory.add(image, pose=pose(0.01), **known) is None
    assert len(encoded) == 1
    maps, = segmenter.maps_of([memory.keyframes[0].features], "mug", [0.5], sizes=[(SIDE, SIDE)])
    np.testing.assert_allclose(maps.values, 1 / (1 + np.exp(-segmenter.logits(image, "mug"))), atol=0.02)


@pytest.mark.parametrize("given, sentence", [
    ({"pose": np.ones((4, 4))}, "rigid"), ({"camera": replace(CAMERA, size=(1, 1))}, "one image"),
    ({"depth": np.ones((10, 90), np.float32)}, "same view")])
def test_what_does_not_fit_is_refused(given, sentence):
    memory = Memory(Seer())
    with pytest.raises(ValueError, match=sentence):
        see(memory, 0.0, **{"where": pose(), **given}) if "pose" not in given else see(memory, 0.0, pose(), **given)
    assert len(memory) == 0
    with pytest.raises(ValueError, match="above 0"):
        Memory(Seer(), size=0)
