# SPDX-License-Identifier: Apache-2.0
"""A recording gives what the network and perception give for its pictures, one after the other."""
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rosbags")
pytest.importorskip("mcap")
from recordings import OPTICAL, START, home, image, record, scenes  # noqa: E402

from clipseg_ros.bags.cameras import find_camera  # noqa: E402
from clipseg_ros.bags.moments import Choices, Moments  # noqa: E402
from clipseg_ros.bags.reading import Bag  # noqa: E402
from clipseg_ros.bags.search import search  # noqa: E402
from clipseg_ros.clipseg import Prompt, Segmenter  # noqa: E402
from clipseg_ros.clipseg.prompts import ActivePrompts  # noqa: E402
from clipseg_ros.perception.camera import Pinhole  # noqa: E402
from clipseg_ros.perception.following import Follower  # noqa: E402
from clipseg_ros.perception.found import locate_objects  # noqa: E402
from clipseg_ros.perception.objects import find_objects  # noqa: E402

TEXTS = ("chair", "something to sit on", "lamp")
ACTIVE = ActivePrompts(TEXTS, tuple(map(Prompt, TEXTS)), (0.5, 0.5, 0.4))
COUNT = 8


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter.load("demo", device="cpu")


def searched(path, segmenter, batch):
    said: list[str] = []
    with Bag(path, warn=said.append) as bag:
        moments = Moments(bag, find_camera(bag, warn=said.append), Choices(), warn=said.append)
        return list(search(moments, segmenter, ACTIVE, choices=Choices(), batch=batch, warn=said.append)), said


@pytest.fixture(scope="module")
def expected(segmenter):
    """Masks, and objects with poses and numbers, of every picture, by perception's own functions."""
    follower = Follower(memory=2.0, births=1, weight=1.0)
    found = []
    for index in range(COUNT):
        rgb, millimetres, k = scenes()[index // 2]
        depth = np.where(millimetres > 0, millimetres * np.float32(1e-3), np.float32(np.nan))
        camera = Pinhole.from_camera_info(k.ravel(), 320, 240)
        maps, = segmenter.maps([rgb], ACTIVE.prompts, ACTIVE.thresholds)
        objects = find_objects(maps, rgb, depth, camera)
        located = locate_objects(objects.regions, TEXTS, camera, depth)
        found.append((objects.refined("objects").mask, follower.follow(located, START * 1e-9 + index * 0.1)))
    assert sum(len(objects) for _, objects in found) > COUNT
    return found


@pytest.mark.parametrize("batch", [1, 3])
def test_every_picture_has_the_masks_objects_and_numbers_that_it_has_alone(tmp_path, segmenter, expected, batch):
    results, said = searched(record(tmp_path / "home", home(COUNT)), segmenter, batch)
    assert said == []
    for result, (mask, objects) in zip(results, expected, strict=True):
        assert (result.findings.maps.mask != mask).mean() < 1e-4, "a batch rounds otherwise"
        assert [(one.prompt, one.track_id) for one in result.findings.objects] == [
            (one.prompt, one.track_id) for one in objects]
        for one, other in zip(result.findings.objects, objects):
            assert (one.pose is None) == (other.pose is None)
            if other.pose is not None:
                np.testing.assert_allclose(one.pose.position, other.pose.position, atol=2e-3)


def test_pictures_that_cannot_be_read_cost_no_other(tmp_path, segmenter):
    sent = [one for one in home(3) if one.topic != "/tf_static"]
    broken = image(np.zeros((240, 320, 3), np.uint8), "bgr565", START + 50_000_000)
    path = record(tmp_path / "home", sorted([*sent, broken], key=lambda one: one.received))
    results, said = searched(path, segmenter, 2)
    assert [result.moment.received for result in results] == [START, START + 10**8, START + 2 * 10**8]
    assert len(said) == 1 and said[0].startswith("an image cannot be read: the image has the encoding 'bgr565'")


def test_whoever_stops_waiting_ends_the_search(tmp_path, segmenter):
    said: list[str] = []
    with Bag(record(tmp_path / "home", home(30)), warn=said.append) as bag:
        moments = Moments(bag, find_camera(bag, warn=said.append), Choices(), warn=said.append)
        results = search(moments, segmenter, ACTIVE, choices=Choices(), batch=1, warn=said.append)
        assert next(results).moment.header.frame_id == OPTICAL
        results.close()
