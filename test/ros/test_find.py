# SPDX-License-Identifier: Apache-2.0
"""The real node's action ~/find, over the real middleware."""
from __future__ import annotations

import contextlib
import math
import re

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from action_msgs.msg import GoalStatus  # noqa: E402
from pictures import noise  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from walls import POSITION, info, wall  # noqa: E402

from clipseg_ros.action import Find  # noqa: E402
from clipseg_ros.msg import Prompts, SegmentedObjectArray  # noqa: E402

pytestmark = pytest.mark.ros

EVERYTHING, NOTHING = "everything=0.001", "nothing=0.999"
ENDED = {GoalStatus.STATUS_SUCCEEDED: "succeeded", GoalStatus.STATUS_CANCELED: "canceled",
         GoalStatus.STATUS_ABORTED: "aborted"}


class Searcher:
    """Sends goals while a camera may film."""

    def __init__(self, peer) -> None:
        self._peer = peer
        self._client = ActionClient(peer.node, Find, "/clipseg/find")
        self._images = peer.node.create_publisher(Image, "image", 10)
        self._stamp = 0
        self.feedback: list[Find.Feedback] = []

    def film(self) -> None:
        self._stamp += 1
        self._images.publish(noise(self._stamp))

    def send(self, **goal):
        """The handle of an accepted goal."""
        self._peer.wait(self._client.server_is_ready, "the action")
        self.feedback.clear()
        sent = self._client.send_goal_async(Find.Goal(**goal), lambda told: self.feedback.append(told.feedback))
        self._peer.wait(sent.done, "the goal to be accepted")
        assert sent.result().accepted
        return sent.result()

    def result(self, handle, *, filming: bool = True) -> tuple[str, Find.Result]:
        asked = handle.get_result_async()
        self._peer.repeat(self.film if filming else lambda: None, asked.done, "a result", period=0.1)
        return ENDED[asked.result().status], asked.result().result

    def close(self) -> None:
        self._client.destroy()
        self._peer.node.destroy_publisher(self._images)


@pytest.fixture
def searcher(peer, node):
    with contextlib.closing(Searcher(peer)) as searcher:
        yield searcher


@pytest.mark.parametrize("with_masks", [True, False])
def test_what_is_seen_is_found_at_once(searcher, with_masks):
    status, result = searcher.result(searcher.send(prompts=[EVERYTHING], with_masks=with_masks))
    assert (status, result.found, result.frames) == ("succeeded", True, 1)
    one, = result.objects
    assert (one.prompt, one.track_id > 0, len(one.mask.data) > 0) == ("everything", True, with_masks)
    assert result.header.frame_id == result.pose_frame_id == "camera_optical"
    assert math.isnan(result.approaches[0].position.x), "there is no depth, so no place before it"
    assert "'everything' is seen by /image" in result.message


def test_it_must_be_seen_in_as_many_frames_as_asked_for(searcher):
    status, result = searcher.result(searcher.send(prompts=[EVERYTHING], min_frames=3, with_masks=True))
    assert (status, result.found) == ("succeeded", True)
    assert result.frames >= 3
    assert [one.frames for one in searcher.feedback] == list(range(1, result.frames))
    assert all("everything" in one.note and one.best[0].prompt == "everything" and not one.best[0].mask.data
               for one in searcher.feedback)


@pytest.mark.parametrize(("goal", "filming", "says"), [
    ({"prompts": [NOTHING]}, True, "best score in .* frames was 0"),
    ({"prompts": [EVERYTHING], "min_score": 1.0}, True, "best score in .* frames"),
    ({"prompts": [EVERYTHING], "min_frames": 1_000_000}, True, "in .* of 1000000 frames"),
    ({"prompts": [NOTHING]}, False, "no image arrived on /image"),
])
def test_nothing_found_is_an_answer_and_says_so(peer, searcher, goal, filming, says):
    if not filming:
        peer.spin_for(1.2)  # what was filmed before is no longer what the camera sees
    status, result = searcher.result(searcher.send(timeout=0.5, **goal), filming=filming)
    assert (status, result.found, list(result.objects)) == ("succeeded", False, [])
    assert "not found in 0.5 s" in result.message
    assert re.search(says, result.message)


def test_it_can_be_cancelled(peer, searcher):
    handle = searcher.send(prompts=[NOTHING], timeout=1000.0)
    peer.repeat(searcher.film, lambda: searcher.feedback, "feedback", period=0.1)
    asked = handle.cancel_goal_async()
    peer.wait(asked.done, "the answer to the request to cancel")
    assert len(asked.result().goals_canceling) == 1
    status, result = searcher.result(handle, filming=False)
    assert (status, result.found) == ("canceled", False)


def test_two_goals_do_not_disturb_each_other_nor_the_topics(peer, searcher):
    peer.set_prompts("lamp=0.001")
    with peer.listener(SegmentedObjectArray, "/clipseg/objects") as objects, peer.listener(Prompts, "/clipseg/prompts"):
        handles = [searcher.send(prompts=[f"thing {number}=0.001"], min_frames=4) for number in (1, 2)]
        results = [searcher.result(handle) for handle in handles]
        peer.repeat(searcher.film, lambda: len(objects) > 3, "objects on the topic")
    assert [(status, result.objects[0].prompt) for status, result in results] == [
        ("succeeded", "thing 1"), ("succeeded", "thing 2")]
    assert {tuple(array.prompts) for array in objects} == {("lamp",)}


def test_without_prompts_it_looks_for_what_the_node_looks_for(peer, searcher):
    peer.set_prompts("lamp=0.001")
    _, result = searcher.result(searcher.send())
    assert result.objects[0].prompt == "lamp"


@pytest.mark.parametrize(("goal", "says"), [
    ({"prompts": ["mug=7"]}, "threshold of the prompt 'mug' is 7"), ({"prompts": ["@nobody"]}, "no visual prompt"),
    ({"prompts": ["mug"], "camera": "rear"}, "no camera 'rear'"),
    ({"prompts": ["mug"], "min_score": 2.0}, "min_score is 2; it must be 0 to 1"),
    ({"prompts": ["mug"], "timeout": math.nan}, "timeout is nan"), ({"prompts": ["mug"], "standoff": -1.0}, "standoff"),
])
def test_a_goal_that_cannot_be_served_is_aborted_with_a_sentence(searcher, goal, says):
    status, result = searcher.result(searcher.send(**goal), filming=False)
    assert (status, result.found) == ("aborted", False)
    assert says in result.message


def test_deactivating_ends_a_search_and_the_next_one_is_told_why(peer, start_node):
    process = start_node(namespace="/searched")
    peer.wait_until_active(process, "/searched/clipseg")
    client = ActionClient(peer.node, Find, "/searched/clipseg/find")
    peer.wait(client.server_is_ready, "the action")

    def begin(**goal):
        sent = client.send_goal_async(Find.Goal(**goal))
        peer.wait(sent.done, "the goal to be accepted")
        return sent.result().get_result_async()

    first = begin(prompts=[NOTHING], timeout=1000.0)
    assert peer.change_state("deactivate", "/searched/clipseg")
    second = begin(prompts=[NOTHING])
    peer.wait(lambda: first.done() and second.done(), "both results")
    assert [ENDED[one.result().status] for one in (first, second)] == ["aborted", "aborted"]
    assert "deactivated during the search" in first.result().result.message
    assert "the node is inactive" in second.result().result.message
    client.destroy()


def test_the_approach_is_before_the_object_and_faces_it(peer, searcher):
    depths, infos = (peer.node.create_publisher(kind, topic, 10) for kind, topic in
                     ((Image, "depth"), (CameraInfo, "camera_info")))
    handle = searcher.send(prompts=[EVERYTHING], standoff=0.75, min_frames=2)
    asked = handle.get_result_async()

    def film() -> None:
        infos.publish(info())
        depths.publish(wall(searcher._stamp + 1))
        searcher.film()

    peer.repeat(film, asked.done, "a result", period=0.2)
    result = asked.result().result
    if not result.objects[0].has_pose:
        pytest.fail("the object has no pose")
    place, turn = result.approaches[0].position, result.approaches[0].orientation
    towards = math.hypot(POSITION[0], POSITION[2])
    share = 1 - 0.75 / towards
    expected = POSITION[0] * share, POSITION[1], POSITION[2] * share
    assert (place.x, place.y, place.z) == pytest.approx(expected, abs=0.03)
    # x forward to the wall, z up: in the optical frame up is -y
    up = (2 * (turn.x * turn.z + turn.w * turn.y), 2 * (turn.y * turn.z - turn.w * turn.x),
          1 - 2 * (turn.x ** 2 + turn.y ** 2))
    assert up == pytest.approx((0, -1, 0), abs=0.01)
    for publisher in (depths, infos):
        peer.node.destroy_publisher(publisher)
