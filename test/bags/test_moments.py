# SPDX-License-Identifier: Apache-2.0
"""What belongs to a picture is found wherever it was recorded."""
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rosbags")
pytest.importorskip("mcap")
from recordings import DEPTH, OPTICAL, PERIOD, START, camera_info, home, image, record, transform  # noqa: E402

from clipseg_ros.bags.cameras import find_camera  # noqa: E402
from clipseg_ros.bags.moments import Choices, Moments  # noqa: E402
from clipseg_ros.bags.reading import Bag  # noqa: E402

K = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])
SECOND = 10**9


def moments(path, choices=Choices(), *, depth=""):
    said: list[str] = []
    with Bag(path, warn=said.append) as bag:
        camera = find_camera(bag, depth=depth, warn=said.append)
        found = [(one, one.rgb, one.space(), one.transform())
                 for one in Moments(bag, camera, choices, warn=said.append)]
    return found, said


def grey(level: int, stamp: int, **more):
    return image(np.full((240, 320, 3), level, np.uint8), "rgb8", stamp, **more)


def wall(metres: float, stamp: int, **more):
    return image(np.full((240, 320), metres, np.float32), "32FC1", stamp, topic=DEPTH, **more)


@pytest.mark.parametrize(("kind", "how"), [("mcap", "raw"), ("mcap", "compressed"), ("db3", "raw"), ("bag", "raw"),
                                           ("bag", "compressed")])
def test_an_rgbd_camera_on_a_robot(tmp_path, kind, how):
    path = record(tmp_path / f"home.{kind}", home(3), kind=kind)
    found, said = moments(path, Choices(target_frame="base_link"))
    assert said == [] and len(found) == 3
    for index, (moment, rgb, space, transform_) in enumerate(found):
        assert moment.received == START + index * PERIOD
        assert moment.seconds == pytest.approx((START + index * PERIOD) * 1e-9)
        assert rgb.shape == (*space.depth.shape, 3) == (240, 320, 3)
        assert 0.5 < np.nanmedian(space.depth) < 10 and space.camera.size == (320, 240)
        # a metre ahead of the camera is a metre ahead of the robot's mast
        np.testing.assert_allclose(transform_.apply(np.array([[0.0, 0.0, 1.0]])), [[1.1, 0.0, 1.2]], atol=1e-9)


def test_the_nearest_depth_by_stamp_also_when_it_was_recorded_later(tmp_path):
    sent = [camera_info(K, START), *(grey(index, START + index * PERIOD) for index in range(5))]
    sent += [wall(1.0 + index, START + index * PERIOD, received=START + index * PERIOD + 8 * PERIOD)
             for index in range(5) if index != 3]
    found, said = moments(record(tmp_path / "bag", sorted(sent, key=lambda one: one.received)))
    depths = [None if space.depth is None else float(space.depth[0, 0]) for _, _, space, _ in found]
    assert depths == [1.0, 2.0, 3.0, None, 5.0]
    assert said == ["objects have no pose: no depth image is within 0.05 s (--depth-slop) of an image"]


def test_a_part_of_the_recording_knows_what_was_said_before(tmp_path):
    sent = [camera_info(K, START), transform("map", OPTICAL, (5.0, 0.0, 0.0), START, static=True),
            *(grey(index, START + index * SECOND) for index in range(10))]
    choices = Choices(target_frame="map", start=3.0, end=8.0, every=2)
    found, said = moments(record(tmp_path / "bag", sent), choices)
    assert [int(rgb[0, 0, 0]) for _, rgb, _, _ in found] == [3, 5, 7]
    assert all(space.camera is not None and transform_.translation[0] == 5.0 for _, _, space, transform_ in found)
    assert said == []


def test_transforms_that_move(tmp_path):
    sent = [camera_info(K, START), grey(0, START + SECOND // 2), grey(1, START + 3 * SECOND),
            transform("map", OPTICAL, (0.0, 0.0, 0.0), START),
            transform("map", OPTICAL, (2.0, 0.0, 0.0), START + SECOND, received=START + SECOND)]
    found, said = moments(record(tmp_path / "bag", sorted(sent, key=lambda one: one.received)),
                          Choices(target_frame="map"))
    assert found[0][3].translation[0] == pytest.approx(1.0)
    assert found[1][3] is None
    assert len(said) == 1 and "objects have no pose: camera_optical cannot be transformed to map: " in said[0]


@pytest.mark.parametrize(("sent", "says"), [
    ([wall(1.0, START)], "there is depth, but no camera_info"),
    ([camera_info(K, START), wall(99.0, START)], "the readings are 99 to 99: 32FC1 must be metres"),
    ([camera_info(K, START), wall(1.0, START, frame="other")], "the depth image is in the frame other"),
])
def test_why_there_are_no_poses(tmp_path, sent, says):
    found, said = moments(record(tmp_path / "bag", [grey(0, START), *sent]), depth=DEPTH)
    assert found[0][2].depth is None
    assert said[-1].startswith("objects have no pose: ") and says in said[-1]
