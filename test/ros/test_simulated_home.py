# SPDX-License-Identifier: Apache-2.0
"""The main job, end to end: a simulated camera, the real node with the bundled weights, masks that are right."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from geometry_msgs.msg import PoseStamped  # noqa: E402
from pictures import pixels, stamp  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.lab.scenes.recorded import load_recorded  # noqa: E402
from clipseg_ros.msg import SegmentedObjectArray  # noqa: E402
from clipseg_ros.ros.outputs.images import to_image  # noqa: E402
from clipseg_ros.srv import Segment  # noqa: E402

pytestmark = pytest.mark.ros

LIVING_ROOM, TABLE = 0, 1
SEATS = ("chair", "armchair", "sofa")
# scene, prompt, categories of the answer, their colour or None
PRESENT = [
    (LIVING_ROOM, "something to sit on", SEATS, None),
    (LIVING_ROOM, "the red chair", ("chair",), "red"),
    (TABLE, "the red cup", ("cup",), "red"),
    (TABLE, "the white plate", ("plate",), "white"),
    (TABLE, "bread", ("bread",), None),
]
ABSENT = (TABLE, "laptop")
EXAMPLE = (3, "table", TABLE)
"""A scene, something in it that serves as the visual prompt, and the scene in which it is looked for."""
EMPTY = 0.002
"""Share of the picture below which a mask counts as empty."""


@pytest.fixture(scope="module")
def scenes():
    return load_recorded()


@pytest.fixture(scope="module")
def home_process(peer, start_shared_node):
    """A node with the bundled weights, apart from the one of the other tests."""
    process = start_shared_node(namespace="/home", parameters={"weights": "demo"})
    peer.wait_until_active(process, "/home/clipseg")
    return process


@pytest.fixture(scope="module")
def home_node(home_process):
    return "/home/clipseg"


@pytest.fixture
def film():
    """Start a scene camera that shows one recorded scene."""
    started = []

    def start(scene: int) -> None:
        arguments = ["--ros-args", "-r", "__ns:=/home", "-p", f"scene:={scene}", "-p", "dwell:=0.0", "-p", "rate:=4.0"]
        started.append(subprocess.Popen([sys.executable, "-m", "clipseg_ros.demo.scene_camera", *arguments],
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


def look_for(peer, node, prompt, *, posed=True) -> tuple[np.ndarray, SegmentedObjectArray]:
    """Set a prompt and return the mask (H, W) bool and the objects, with poses unless told, of one picture."""
    def answers() -> list[tuple[Image, SegmentedObjectArray]]:
        # the first pictures may have neither depth nor calibration: their topics are discovered one by one
        fitting = {stamp(one): one for one in found if one.prompts == [prompt]
                   and (not posed or any(region.has_pose for region in one.objects))}
        return [(mask, fitting[stamp(mask)]) for mask in masks if stamp(mask) in fitting]

    peer.set_prompts(prompt, node)
    with peer.listener(Image, f"{node}/mask") as masks, peer.listener(SegmentedObjectArray, f"{node}/objects") as found:
        mask, objects = peer.wait(answers, f"a result for {prompt!r}")[-1]
    return pixels(mask) > 0, objects


@pytest.mark.parametrize("number", [LIVING_ROOM, TABLE])
def test_camera_to_masks_over_topics(peer, home_node, scenes, film, number):
    film(number)
    for scene, prompt, categories, colour in [row for row in PRESENT if row[0] == number]:
        mask, found = look_for(peer, home_node, prompt)
        assert iou(mask, truth(scenes[scene], categories, colour)) >= 0.5, prompt
        best = max((one for one in found.objects if one.has_pose), key=lambda region: region.score)
        assert 0.3 < best.pose.pose.position.z < 8.0
    if number == ABSENT[0]:
        mask, _ = look_for(peer, home_node, ABSENT[1], posed=False)
        assert mask.mean() < EMPTY


def test_the_same_through_the_service(peer, home_node, scenes):
    for scene, prompt, categories, colour in PRESENT:
        mask = segment(peer, home_node, scenes[scene], prompts=[prompt])
        assert iou(mask, truth(scenes[scene], categories, colour)) >= 0.5, prompt
    assert segment(peer, home_node, scenes[ABSENT[0]], prompts=[ABSENT[1]]).mean() < EMPTY


def test_by_an_example_from_another_scene(peer, home_node, scenes):
    example, category = scenes[EXAMPLE[0]], EXAMPLE[1]
    shown = to_image(truth(example, (category,)).astype(np.uint8) * 255, "mono8", Header())
    mask = segment(peer, home_node, scenes[EXAMPLE[2]], visual_prompt=rgb_message(example), visual_prompt_mask=shown)
    assert iou(mask, truth(scenes[EXAMPLE[2]], (category,))) >= 0.5


def segment(peer, node, scene, **request) -> np.ndarray:
    """The mask (H, W) bool that the service answers with."""
    answer = peer.call(Segment, f"{node}/segment", image=rgb_message(scene), **request)
    assert answer.success, answer.message
    return pixels(answer.masks[0]) > 0


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


def test_three_seats_are_three_objects_where_they_are(peer, home_node, scenes, film):
    film(LIVING_ROOM)
    meant = [np.array(thing.centroid) for thing in scenes[LIVING_ROOM].objects if thing.category in SEATS]
    _, found = look_for(peer, home_node, "something to sit on")
    positions = [one.pose.pose.position for one in found.objects if one.has_pose]
    assert len(found.objects) == len(positions) == len(meant) == 3
    assert len({one.track_id for one in found.objects}) == 3
    away = np.linalg.norm(np.array([[p.x, p.y, p.z] for p in positions])[:, None] - meant, axis=2)
    assert sorted(away.argmin(axis=1)) == [0, 1, 2]
    assert away.min(axis=1).max() < 0.05, away


def example(name: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run one of the examples beside the node."""
    script = Path(__file__).resolve().parents[2] / "examples" / name
    return subprocess.run([sys.executable, str(script), *arguments, "--ros-args", "-r", "__ns:=/home"],
                          capture_output=True, text=True, timeout=120)


def test_the_navigation_example_goes_before_the_thing(peer, home_node, film, scenes):
    film(LIVING_ROOM)
    look_for(peer, home_node, "something to sit on")
    with peer.listener(PoseStamped, "/home/goal_pose") as goals:
        ended = threaded(lambda: example("go_to.py", "something to sit on"))
        peer.wait(lambda: not ended.is_alive(), "the example to end")
    assert ended.result.returncode == 0, ended.result.stdout + ended.result.stderr
    place = goals[-1].pose.position
    away = np.hypot(place.x, place.z)
    _, objects = look_for(peer, home_node, "something to sit on")
    nearest = min(np.hypot(one.pose.pose.position.x - place.x, one.pose.pose.position.z - place.z)
                  for one in objects.objects if one.has_pose)
    assert nearest == pytest.approx(0.8, abs=0.1), "0.8 m before one of the seats"
    assert 0 < away < max(np.hypot(one.pose.pose.position.x, one.pose.pose.position.z) for one in objects.objects)
    assert "to stand 0.8 m before 'something to sit on'" in ended.result.stdout


def test_the_grasp_example_closes_around_the_thing(peer, home_node, film):
    film(TABLE)
    _, objects = look_for(peer, home_node, "the red cup")
    cup = objects.objects[0]
    with peer.listener(PoseStamped, "/home/grasp/before") as before, \
            peer.listener(PoseStamped, "/home/grasp/close") as closing:
        ended = threaded(lambda: example("grasp.py", "the red cup", "0.2"))
        peer.wait(lambda: not ended.is_alive(), "the example to end")
    assert ended.result.returncode == 0, ended.result.stdout + ended.result.stderr
    first, last = (at(one[-1].pose) for one in (before, closing))
    assert last == pytest.approx(at(cup.pose.pose), abs=0.03)
    assert np.linalg.norm(first - last) == pytest.approx(0.1, abs=1e-3)
    assert first @ first < last @ last, "it comes from the camera's side"
    width = float(re.search(r"'the red cup', ([\d.]+) m wide", ended.result.stdout)[1])
    assert width == pytest.approx(cup.grasp_width, abs=0.01)


def test_a_thing_that_is_too_wide_is_not_grasped(peer, home_node, film):
    film(TABLE)
    look_for(peer, home_node, "the red cup")
    ended = threaded(lambda: example("grasp.py", "the red cup", "0.01"))
    peer.wait(lambda: not ended.is_alive(), "the example to end")
    assert ended.result.returncode == 1 and "too wide" in ended.result.stdout


def at(pose) -> np.ndarray:
    return np.array([pose.position.x, pose.position.y, pose.position.z])


def threaded(run: Callable[[], object]) -> threading.Thread:
    """A started thread that runs it; the thread's `result` is what it returned."""
    def keep() -> None:
        thread.result = run()

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    return thread
