# SPDX-License-Identifier: Apache-2.0
"""The real node with the bundled weights goes past recorded scenes, and is asked afterwards what it saw."""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
import cv2  # noqa: E402
from action_msgs.msg import GoalStatus  # noqa: E402
from builtin_interfaces.msg import Time  # noqa: E402
from geometry_msgs.msg import Point, PoseStamped  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from visualization_msgs.msg import MarkerArray  # noqa: E402

from clipseg_ros.action import Find  # noqa: E402
from clipseg_ros.demo.scene_camera import camera_info, millimetres  # noqa: E402
from clipseg_ros.lab.scenes.recorded import load_recorded  # noqa: E402
from clipseg_ros.msg import Memory  # noqa: E402
from clipseg_ros.perception.transforms import Transform, matrices_to_quaternions  # noqa: E402
from clipseg_ros.ros.outputs.images import to_image  # noqa: E402
from clipseg_ros.ros.outputs.poses import from_transform  # noqa: E402
from clipseg_ros.srv import CorrectPoses, Forget, Recall  # noqa: E402
from clipseg_ros.web.remote import RemoteSource  # noqa: E402

pytestmark = pytest.mark.ros

NODE = "/rover/clipseg"
OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Axes of a camera that looks along x of the map, in the map."""
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
WANTED = "bottle"
SEEN = {0: "sofa", 1: WANTED}
"""A thing in each of the scenes that are passed."""
WITH_IT = 1


def place(scene: int) -> Transform:
    """Where the camera stands for a recorded scene: ten metres from the next one."""
    return Transform(np.array([0.0, 10.0 * scene, 1.0]), matrices_to_quaternions(OPTICAL[None])[0])


class Rover:
    """Stands before one recorded scene after the other and publishes what it sees, and where it is."""

    def __init__(self, peer) -> None:
        self._peer, self._scenes = peer, load_recorded()
        kinds = {"camera_pose": PoseStamped, "camera_info": CameraInfo, "depth": Image, "image": Image}
        self._publishers = {name: peer.node.create_publisher(kind, f"/rover/{name}", 10) for name, kind in kinds.items()}
        self._seconds = 100.0
        self.stamps: dict[int, list[Time]] = {}

    def film(self, scene: int, *, frame_id: str = "map") -> None:
        self._seconds += 0.5
        stamp = Time(sec=int(self._seconds), nanosec=int(self._seconds % 1 * 1e9))
        header, shot = Header(stamp=stamp, frame_id="camera_optical"), self._scenes[scene]
        pose = PoseStamped(header=Header(stamp=stamp, frame_id=frame_id), pose=from_transform(place(scene)))
        messages = {"camera_pose": pose, "camera_info": camera_info(shot.k, shot.rgb.shape[:2], header),
                    "depth": to_image(millimetres(shot.depth), "16UC1", header),
                    "image": to_image(shot.rgb, "rgb8", header)}
        self.stamps.setdefault(scene, []).append(stamp)
        for name, message in messages.items():
            self._publishers[name].publish(message)

    def truth(self) -> np.ndarray:
        """(3,) metres in the map: middle of its visible pixels."""
        scene = self._scenes[WITH_IT]
        wanted, = [one for one in scene.objects if one.category == WANTED]
        rows, columns = np.nonzero((scene.ids == wanted.id) & (scene.depth > 0))
        depth, k = scene.depth[rows, columns], np.reshape(scene.k, (3, 3))
        points = np.stack([(columns - k[0, 2]) / k[0, 0] * depth, (rows - k[1, 2]) / k[1, 1] * depth, depth], axis=1)
        return place(WITH_IT).apply(points).mean(axis=0)

    def close(self) -> None:
        for publisher in self._publishers.values():
            self._peer.node.destroy_publisher(publisher)


def start(peer, start_shared_node, memory_file):
    process = start_shared_node(namespace="/rover", parameters={
        "weights": "demo", "memory_size": 50.0, "memory_frame": "map", "memory_file": str(memory_file),
        "memory_save_period": 1.0})
    peer.wait_until_active(process, NODE)
    return process


@pytest.fixture(scope="module")
def remembered(peer, start_shared_node, tmp_path_factory):
    """A node that nobody listens to has passed the scenes; yields the rover, the node's process and the memory's file."""
    file = tmp_path_factory.mktemp("memory") / "home.safetensors"
    process = start(peer, start_shared_node, file)
    rover = Rover(peer)
    with peer.listener(Memory, f"{NODE}/memory", LATCHED) as told:
        for scene, thing in SEEN.items():
            # The first images may have no depth yet.
            peer.repeat(lambda: rover.film(scene), lambda: any(one.has_pose for one in recall(peer, prompts=[thing]).objects),
                        f"a {thing} with a place")
        peer.wait(lambda: told and told[-1].keyframes == len(SEEN), "all keyframes")
    yield rover, process, file
    rover.close()


def recall(peer, **request) -> Recall.Response:
    answer = peer.call(Recall, f"{NODE}/recall", **{"prompts": [WANTED], **request})
    assert answer.success, answer.message
    return answer


def at(one) -> np.ndarray:
    return np.array([one.pose.position.x, one.pose.position.y, one.pose.position.z])


def test_it_tells_where_the_thing_is_that_it_no_longer_sees(peer, remembered):
    rover, _, _ = remembered
    answer = recall(peer)
    assert (answer.frame_id, list(answer.prompts), answer.looked_at, answer.keyframes) == ("map", [WANTED], 2, 2)
    best = answer.objects[0]
    np.testing.assert_allclose(at(best), rover.truth(), atol=0.05)
    assert (best.has_pose, best.views, best.camera) == (True, 1, "camera")
    assert best.first_seen == best.last_seen and best.last_seen in rover.stamps[WITH_IT]
    assert at_camera(best) == pytest.approx(place(WITH_IT).translation)
    picture = cv2.imdecode(np.frombuffer(best.thumbnail.data, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[0] * picture.shape[1] > 100 * 100
    assert not recall(peer, without_thumbnails=True).objects[0].thumbnail.data


def at_camera(one) -> tuple:
    point = one.camera_pose.position
    return point.x, point.y, point.z


@pytest.mark.parametrize(("request_", "found"), [
    ({"near": Point(x=1.0, y=10.0 * WITH_IT, z=1.0), "radius": 3.0}, True),
    ({"near": Point(x=1.0, y=200.0, z=1.0), "radius": 3.0}, False),
    ({"max_age": 1.0}, False), ({"max_results": 1}, True),
])
def test_place_age_and_number_of_the_results_are_limited(peer, remembered, request_, found):
    answer = recall(peer, **request_)
    assert bool(answer.objects) == found
    assert len(answer.objects) <= (request_.get("max_results") or 10)


@pytest.mark.parametrize(("request_", "says"), [
    ({"prompts": ["mug=7"]}, "threshold"), ({"time_limit": -1.0}, "time_limit is -1"), ({"prompts": ["@cup"]}, "@cup"),
    ({"prompts": []}, "nothing to look for"),
])
def test_a_request_that_cannot_be_served_is_refused(peer, remembered, request_, says):
    answer = peer.call(Recall, f"{NODE}/recall", **request_)
    assert not answer.success and says in answer.message


def test_find_goes_by_memory_when_it_may(peer, remembered):
    rover, _, _ = remembered
    client, notes = ActionClient(peer.node, Find, f"{NODE}/find"), []
    peer.wait(client.server_is_ready, "the action")
    sent = client.send_goal_async(Find.Goal(prompts=[WANTED], use_memory=True, timeout=30.0, standoff=0.5),
                                  lambda told: notes.append(told.feedback.note))
    peer.wait(sent.done, "the goal to be accepted")
    asked = sent.result().get_result_async()
    peer.wait(asked.done, "a result")
    result = asked.result().result
    assert asked.result().status == GoalStatus.STATUS_SUCCEEDED
    assert (result.found, result.remembered, result.frames, result.pose_frame_id) == (True, True, 0, "map")
    assert any("memory" in note for note in notes) and "remembered" in result.message
    before = result.approaches[0].position
    there = rover.truth()
    assert np.hypot(before.x - there[0], before.y - there[1]) == pytest.approx(0.5, abs=0.05)
    assert before.x < there[0], "on the side from which it was seen"
    client.destroy()


@pytest.mark.parametrize(("text", "caption"), [(WANTED, "bottle, at 1.0"), ("mug=7", "threshold")])
def test_the_page_asks_it(peer, remembered, text, caption):
    source = RemoteSource(peer.node, NODE)
    source.open(SimpleNamespace(cameras=lambda names: None, tell=lambda *_: None, looking_for=lambda *_: None))
    recall = peer.wait(lambda: source.recall, "the page to know of the memory")
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(recall, text)
        peer.wait(asked.done, "an answer")
    if asked.exception():
        assert caption in str(asked.exception())
    else:
        best = asked.result()[0]
        assert best.caption.startswith(caption) and "m in map, seen" in best.caption
        assert cv2.imdecode(np.frombuffer(best.thumbnail, np.uint8), cv2.IMREAD_COLOR) is not None
    source.close()


def test_keyframes_can_be_looked_at(peer, remembered):
    with peer.listener(MarkerArray, f"{NODE}/keyframes", LATCHED) as drawn:
        markers = peer.wait(lambda: drawn and drawn[-1].markers, "the markers")
    assert [marker.ns for marker in markers[1:]] == ["camera"] * 2
    assert {marker.header.frame_id for marker in markers} == {"map"}
    assert markers[2].pose.position.y == pytest.approx(10.0)


def test_after_a_restart_the_answers_are_the_same(peer, remembered, start_shared_node):
    _, process, file = remembered
    before = recall(peer)
    process.stop()
    again = start(peer, start_shared_node, file)
    after = recall(peer)
    assert "2 images are remembered from before" in again.log
    assert (after.looked_at, after.keyframes) == (2, 2)
    for one, other in zip(before.objects, after.objects, strict=True):
        assert (one.prompt, one.views, one.first_seen, one.last_seen) == (
            other.prompt, other.views, other.first_seen, other.last_seen)
        np.testing.assert_allclose(at(one), at(other), atol=1e-9)
        assert one.score == pytest.approx(other.score, abs=1e-6)


def test_moved_and_forgotten_keyframes(peer, remembered):
    rover, _, _ = remembered
    stamp = recall(peer).objects[0].last_seen
    refused = peer.call(CorrectPoses, f"{NODE}/correct_poses", stamps=[stamp])
    assert not refused.success and "1 stamps and 0 poses" in refused.message
    shifted = place(WITH_IT)
    shifted = Transform(shifted.translation + [0.0, 0.0, 5.0], shifted.rotation)
    moved = peer.call(CorrectPoses, f"{NODE}/correct_poses", stamps=[stamp, Time(sec=7)],
                      poses=[from_transform(shifted)] * 2)
    assert (moved.success, moved.corrected) == (True, 1)
    np.testing.assert_allclose(at(recall(peer).objects[0]), rover.truth() + [0.0, 0.0, 5.0], atol=0.05)
    gone = peer.call(Forget, f"{NODE}/forget", near=Point(y=10.0 * WITH_IT, z=6.0), radius=2.0)
    assert (gone.success, gone.forgotten) == (True, 1)
    assert not [one for one in recall(peer).objects if abs(at(one)[1] - 10.0 * WITH_IT) < 4]
    assert peer.call(Forget, f"{NODE}/forget").forgotten == 1
    answer = recall(peer)
    assert (list(answer.objects), answer.message) == ([], "nothing is remembered yet")


def test_a_node_without_a_memory_says_what_to_set(peer, node):
    for kind, name in ((Recall, "recall"), (Forget, "forget"), (CorrectPoses, "correct_poses")):
        answer = peer.call(kind, f"/clipseg/{name}")
        assert not answer.success and "set memory_size" in answer.message


@pytest.mark.parametrize("frame_id", ["odom", ""])
def test_a_pose_in_another_frame_is_refused_and_the_log_says_so(peer, remembered, frame_id):
    rover, process, _ = remembered
    from ros_peers import TestedNode

    latest = max(TestedNode.running, key=lambda one: "remembered from before" in one.log)
    peer.repeat(lambda: rover.film(0, frame_id=frame_id), lambda: "it must be in memory_frame, 'map'" in latest.log,
                "a sentence")
