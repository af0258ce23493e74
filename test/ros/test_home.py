# SPDX-License-Identifier: Apache-2.0
"""The main job, end to end: a simulated camera, the real node with the bundled weights, masks that are right."""
from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from sensor_msgs.msg import Image  # noqa: E402

from clipseg_ros.msg import SegmentedObjectArray  # noqa: E402
from clipseg_ros.ros.messages import to_image  # noqa: E402
from clipseg_ros.scenes.recorded import load_recorded  # noqa: E402
from clipseg_ros.srv import Segment  # noqa: E402
from pictures import pixels  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

pytestmark = pytest.mark.ros

LIVING_ROOM, TABLE = 0, 1
SEATS = ("chair", "armchair", "sofa")
# scene, prompt, categories of the answer, their colour or None
PRESENT = [
    (LIVING_ROOM, "something to sit on", SEATS, None),
    (LIVING_ROOM, "sofa", ("sofa",), None),
    (TABLE, "the red cup", ("cup",), "red"),
    (TABLE, "bottle", ("bottle",), None),
    (TABLE, "the yellow bowl", ("bowl",), "yellow"),
]
ABSENT = (TABLE, "teddy bear")
EMPTY = 0.002
"""Share of the picture below which a mask counts as empty."""


@pytest.fixture(scope="module")
def scenes():
    return load_recorded()


@pytest.fixture(scope="module")
def home_process(peer, tmp_path_factory):
    """A node with the bundled weights, apart from the one of the other tests."""
    from conftest import NodeProcess

    process = NodeProcess(tmp_path_factory.mktemp("home") / "log")
    process.start(namespace="/home", parameters={"weights": "demo"})
    try:
        peer.wait_until_active(process, "/home/clipseg")
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="module")
def home_node(home_process):
    return "/home/clipseg"


@pytest.fixture
def film():
    """Start a scene camera that shows one recorded scene."""
    started = []

    def start(scene: int) -> None:
        arguments = ["--ros-args", "-r", "__ns:=/home", "-p", f"scene:={scene}", "-p", "dwell:=0.0", "-p", "rate:=4.0"]
        started.append(subprocess.Popen([sys.executable, "-m", "clipseg_ros.ros.scene_camera", *arguments],
                                        stdout=subprocess.DEVNULL, env=dict(os.environ, OMP_NUM_THREADS="1")))
    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def truth(scene, categories, colour=None) -> np.ndarray:
    ids = [o.id for o in scene.objects if o.category in categories and colour in (None, o.colour)]
    assert ids
    return np.isin(scene.ids, ids)


def iou(mask: np.ndarray, expected: np.ndarray) -> float:
    return np.count_nonzero(mask & expected) / np.count_nonzero(mask | expected)


@pytest.mark.parametrize("number", [LIVING_ROOM, TABLE])
def test_camera_to_masks_over_topics(peer, home_node, scenes, film, number):
    film(number)
    for scene, prompt, categories, colour in [row for row in PRESENT if row[0] == number]:
        peer.set_prompts(prompt, home_node)
        with peer.listener(Image, f"{home_node}/mask") as masks, \
                peer.listener(SegmentedObjectArray, f"{home_node}/objects") as found:
            peer.wait(lambda: masks and found and found[-1].prompts == [prompt], f"a mask of {prompt!r}")
            # The newest pair: the first ones may still be those of the prompt before.
            masks.clear()
            peer.wait(lambda: masks, f"another mask of {prompt!r}")
        assert iou(pixels(masks[-1]) > 0, truth(scenes[scene], categories, colour)) >= 0.5, prompt
        best = max(found[-1].objects, key=lambda o: o.score)
        assert 0.3 < best.position.z < 8.0
    scene, prompt = ABSENT
    if scene == number:
        peer.set_prompts(prompt, home_node)
        with peer.listener(Image, f"{home_node}/mask") as masks, \
                peer.listener(SegmentedObjectArray, f"{home_node}/objects") as found:
            peer.wait(lambda: found and found[-1].prompts == [prompt], f"a result for {prompt!r}")
            masks.clear()
            peer.wait(lambda: masks, f"a mask of {prompt!r}")
        assert (pixels(masks[-1]) > 0).mean() < EMPTY


def test_the_same_through_the_service(peer, home_node, scenes):
    for scene, prompt, categories, colour in PRESENT:
        answer = peer.call(Segment, f"{home_node}/segment", prompts=[prompt], image=rgb_message(scenes[scene]))
        assert answer.success, answer.message
        assert iou(pixels(answer.masks[0]) > 0, truth(scenes[scene], categories, colour)) >= 0.5, prompt
    scene, prompt = ABSENT
    answer = peer.call(Segment, f"{home_node}/segment", prompts=[prompt], image=rgb_message(scenes[scene]))
    assert answer.success and (pixels(answer.masks[0]) > 0).mean() < EMPTY


def test_words_that_the_weights_never_learned_are_named_once(peer, home_node, home_process, scenes):
    answer = peer.call(Segment, f"{home_node}/segment", prompts=["the xylophone"], image=rgb_message(scenes[TABLE]))
    assert answer.success
    assert "do not know 'xylophone';" in answer.message
    known = peer.call(Segment, f"{home_node}/segment", prompts=["the red cup"], image=rgb_message(scenes[TABLE]))
    assert (known.success, known.message) == (True, "")

    said = "do not know 'quokka', 'xylophone';"
    peer.set_prompts("a quokka; xylophone; sofa", home_node)
    peer.wait(lambda: said in home_process.log, "a warning")
    assert peer.set_parameter("threshold", 0.6, home_node).successful
    peer.set_prompts("a quokka; xylophone; sofa", home_node)
    peer.set_prompts("sofa", home_node)
    assert peer.set_parameter("threshold", 0.5, home_node).successful
    assert home_process.log.count(said) == 1


def rgb_message(scene) -> Image:
    return to_image(scene.rgb, "rgb8", Header(frame_id="camera"))
