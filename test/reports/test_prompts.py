# SPDX-License-Identifier: Apache-2.0
"""One syntax at every door, and a sentence for each prompt that is refused."""
from __future__ import annotations

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from pictures import noise  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import String  # noqa: E402

from clipseg_ros.msg import Prompts, SegmentedObjectArray  # noqa: E402
from clipseg_ros.srv import Segment, SetVisualPrompt  # noqa: E402

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_a_line_of_prompts_is_the_same_at_every_door(peer, node):
    line = "mug; chair＝0.4；\ufefflamp\u200b=0.3"
    by_request = peer.call(Segment, "/clipseg/segment", prompts=[line], image=noise(1))
    assert by_request.prompts == ["mug", "chair", "lamp"]
    assert peer.set_parameter("prompts", [line]).successful
    by_parameter = peer.call(Segment, "/clipseg/segment", image=noise(1))
    assert by_parameter.prompts == ["mug", "chair", "lamp"]
    by_topic = peer.set_prompts("mug; chair=0.4; lamp=0.3")
    assert list(by_topic.thresholds) == pytest.approx([0.5, 0.4, 0.3])


def test_prompts_that_differ_in_a_number_are_each_refused_aloud(peer, node):
    with peer.publisher(String, "/clipseg/prompt") as publisher:
        for number in (3, 4, 5):
            peer.repeat(lambda number=number: publisher.publish(String(data=f"mug={number}")),
                        lambda number=number: f"the prompt 'mug' is {number}; it must be" in node.log, "a warning")


def test_of_many_requests_at_once_each_is_answered(peer, node):
    client = peer._client(Segment, "/clipseg/segment")
    peer.wait(client.service_is_ready, "the service")
    asked = [client.call_async(Segment.Request(prompts=["mug"], image=noise(1))) for _ in range(40)]
    peer.wait(lambda: all(future.done() for future in asked), "all answers")
    answers = [future.result() for future in asked]
    assert any(answer.success for answer in answers)
    assert all(answer.success or "try again in a moment" in answer.message for answer in answers)


def test_a_visual_prompt_may_be_stored_after_the_start(peer, start_node):
    name = "/later/clipseg"
    node = start_node(namespace="/later", parameters={"prompts": "['@cup=0.3', 'mug']"})
    peer.wait_until_active(node, name)
    with peer.listener(Prompts, f"{name}/prompts", LATCHED) as prompts:
        peer.wait(lambda: prompts and prompts[-1].prompts == ["mug"], "the prompts that are known")
        assert "@cup will be looked for once set_visual_prompt has stored it" in node.log
        assert peer.call(SetVisualPrompt, f"{name}/set_visual_prompt", name="cup", image=noise(3)).success
        peer.wait(lambda: prompts[-1].prompts == ["@cup", "mug"], "all prompts")
        assert list(prompts[-1].thresholds) == pytest.approx([0.3, 0.5])


def test_the_parameter_says_what_the_topic_said(peer, node):
    peer.set_prompts("mug=0.25; a chair")
    value, = peer.call(GetParameters, "/clipseg/get_parameters", names=["prompts"]).values
    assert value.string_array_value == ["mug=0.25", "a chair"]
    assert "looking for 'mug' (0.25), 'a chair' (0.5)" in node.log
    peer.set_prompts(";")
    value, = peer.call(GetParameters, "/clipseg/get_parameters", names=["prompts"]).values
    assert value.string_array_value == [""]


def test_an_answer_for_people_has_no_masks(peer, node):
    full, short = (peer.call(Segment, "/clipseg/segment", prompts=["everything=0.001"], image=noise(1),
                             without_masks=without) for without in (False, True))
    assert short.success and len(full.masks) == 1 and short.masks == []
    assert full.objects and len(short.objects) == len(full.objects)
    assert all(one.mask.data for one in full.objects) and not any(one.mask.data for one in short.objects)


def test_objects_carry_masks_only_where_they_should(peer, node):
    peer.set_prompts("everything=0.001")
    with peer.publisher(Image, "/image") as images, peer.listener(SegmentedObjectArray, "/clipseg/objects") as found:
        for with_masks in (True, False):
            assert peer.set_parameter("object_masks", with_masks).successful
            found.clear()
            peer.repeat(lambda: images.publish(noise(1)), lambda with_masks=with_masks: any(
                bool(one.mask.data) == with_masks for array in found for one in array.objects), "objects")
    assert peer.set_parameter("object_masks", True).successful
