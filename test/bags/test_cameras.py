# SPDX-License-Identifier: Apache-2.0
"""Which topics are taken, of recordings as robots make them."""
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rosbags")
pytest.importorskip("mcap")
from recordings import DEPTH, IMAGE, INFO, START, camera_info, compressed, home, image, record, transform  # noqa: E402

from clipseg_ros.bags.cameras import find_camera  # noqa: E402
from clipseg_ros.bags.reading import Bag  # noqa: E402

RGB, GREY = np.zeros((240, 320, 3), np.uint8), np.zeros((240, 320), np.uint8)
METRES, MILLIMETRES = np.ones((240, 320), np.float32), np.full((240, 320), 900, np.uint16)
K = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])


def chosen(path, **named):
    said: list[str] = []
    with Bag(path, warn=said.append) as bag:
        return find_camera(bag, warn=said.append, **named), said


def names(camera):
    return tuple(topic and topic.name for topic in camera[:3])


STEREO = [image(GREY, "mono8", START, topic="/left/image_rect"), image(GREY, "mono8", START, topic="/right/image_rect"),
          image(GREY, "mono8", START + 1, topic="/right/image_rect"), camera_info(K, START, "/left/camera_info"),
          camera_info(K, START, "/right/camera_info")]
THERMAL = [image(MILLIMETRES, "mono16", START, topic="/thermal/image_raw")]
REGISTERED = image(MILLIMETRES, "16UC1", START, topic="/depth_registered/image")
OTHER_FRAME = image(METRES, "32FC1", START, topic="/depth/image", frame="depth_optical")


@pytest.mark.parametrize(("messages", "expected", "others"), [
    (list(home(2)), (IMAGE, INFO, DEPTH), ()),
    (list(home(2, how="compressed")), (f"{IMAGE}/compressed", INFO, f"{DEPTH}/compressedDepth"), ()),
    ([*home(2), *home(2, how="compressed")], (IMAGE, INFO, DEPTH), (f"{IMAGE}/compressed",)),
    (STEREO, ("/right/image_rect", "/right/camera_info", None), ("/left/image_rect",)),
    ([*STEREO, image(RGB, "rgb8", START, topic="/webcam")], ("/right/image_rect", "/right/camera_info", None),
     ("/left/image_rect", "/webcam")),
    ([image(GREY, "mono8", START, topic="/a"), image(RGB, "bgr8", START, topic="/b")], ("/b", None, None), ("/a",)),
    (THERMAL, ("/thermal/image_raw", None, None), ()),
    ([image(RGB, "rgb8", START), camera_info(K, START, "/elsewhere/info")], (IMAGE, "/elsewhere/info", None), ()),
    ([image(RGB, "rgb8", START), OTHER_FRAME, REGISTERED], (IMAGE, None, "/depth_registered/image"), ()),
])
def test_what_fits_best_is_taken(tmp_path, messages, expected, others):
    camera, said = chosen(record(tmp_path / "bag", messages))
    assert (names(camera), camera.others, said) == (expected, others, [])


def test_named_topics_are_taken(tmp_path):
    path = record(tmp_path / "bag", [*STEREO, *home(1), OTHER_FRAME])
    camera, said = chosen(path, image="/left/image_rect", depth="/depth/image")
    assert (names(camera), camera.others) == (("/left/image_rect", "/left/camera_info", "/depth/image"), ())


def test_depth_of_another_view_is_not_taken_unasked(tmp_path):
    camera, said = chosen(record(tmp_path / "bag", [image(RGB, "rgb8", START), OTHER_FRAME]))
    assert names(camera) == (IMAGE, None, None)
    assert said == [f"no depth is in the frame of {IMAGE}, camera_optical, so there are no poses: /depth/image (in "
                    "depth_optical); with --depth TOPIC --assume-registered one is taken all the same"]


@pytest.mark.parametrize(("messages", "named", "says"), [
    (list(home(1)), {"image": "/camera/colour/image_raw"}, rf"has no topic /camera/colour/.*; the nearest is {IMAGE}"),
    (list(home(1)), {"image": "/x"}, rf"has no topic /x; there are {DEPTH}, {IMAGE}"),
    (list(home(1)), {"image": INFO}, "is sensor_msgs/msg/CameraInfo; it must be sensor_msgs/msg/Image or"),
    (list(home(1)), {"image": DEPTH}, f"{DEPTH} is depth; --image must name a topic of pictures"),
    (list(home(1)), {"depth": "/camera/aligned_depth/image"}, f"the nearest is {DEPTH}"),
    ([OTHER_FRAME], {}, r"has no pictures .*: nothing but depth \(/depth/image\)"),
    ([transform("a", "b", (0, 0, 0), START)], {}, "has no pictures .*: none among /tf"),
    ([compressed(b"", "16UC1; compressedDepth png", START, "/d/compressedDepth")], {}, "nothing but depth"),
])
def test_what_does_not_fit_is_a_sentence(tmp_path, messages, named, says):
    with pytest.raises(ValueError, match=says):
        chosen(record(tmp_path / "bag", messages), **named)
