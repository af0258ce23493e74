# SPDX-License-Identifier: Apache-2.0
"""With the messages of vision_msgs where it is installed, and with stand-ins that have the same fields everywhere."""
from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from builtin_interfaces.msg import Time  # noqa: E402
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.ros.outputs import label_info  # noqa: E402
from clipseg_ros.ros.prompts.store import ActivePrompts  # noqa: E402

pytestmark = pytest.mark.ros


@dataclass
class VisionClass:
    class_id: int
    class_name: str


@dataclass
class LabelInfo:
    header: Header
    class_map: list
    threshold: float


STAND_INS = (VisionClass, LabelInfo)


@pytest.fixture(params=["vision_msgs", "stand-ins"], autouse=True)
def messages(request, monkeypatch) -> None:
    if request.param == "vision_msgs":
        if not label_info.available():
            pytest.skip("vision_msgs.msg.LabelInfo is not installed")
    else:
        for stand_in in STAND_INS:
            monkeypatch.setattr(label_info, stand_in.__name__, stand_in, raising=False)


@dataclass
class Node:
    """Records what is published."""

    is_activated: bool = True
    published: list = field(default_factory=list)

    def create_lifecycle_publisher(self, kind, topic, qos):
        assert (kind, topic) == (label_info.LabelInfo, "~/label_info")
        assert (qos.durability, qos.reliability) == (DurabilityPolicy.TRANSIENT_LOCAL, ReliabilityPolicy.RELIABLE)
        return SimpleNamespace(publish=self.published.append, is_activated=self.is_activated)

    def get_clock(self):
        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: Time(sec=5)))


def prompts(*texts: str, threshold: float = 0.5) -> ActivePrompts:
    return ActivePrompts(texts, (), (threshold,) * len(texts))


def test_the_prompts_are_the_classes_from_1_on():
    info = label_info.to_label_info(("mug", "a red cup"), (0.5, 0.25), Header(frame_id="camera"))
    assert [(one.class_id, one.class_name) for one in info.class_map] == [(1, "mug"), (2, "a red cup")]
    assert (info.threshold, info.header.frame_id) == (0.25, "camera")


def test_only_what_is_new_is_published():
    node = Node()
    publisher = label_info.LabelInfoPublisher(node, "~/label_info")
    for one in (prompts("mug"), prompts("mug"), prompts("mug", threshold=0.4), prompts(), prompts("cup"), prompts("cup")):
        publisher.publish(one)
    assert [[each.class_name for each in one.class_map] for one in node.published] == [["mug"], ["mug"], [], ["cup"]]


def test_a_node_that_is_not_active_says_it_later():
    node = Node(is_activated=False)
    publisher = label_info.LabelInfoPublisher(node, "~/label_info")
    publisher.publish(prompts("mug"))
    assert node.published == []


def test_the_stand_ins_have_the_fields_of_the_real_messages():
    real = pytest.importorskip("vision_msgs.msg")
    for stand_in in STAND_INS:
        fields = set(getattr(real, stand_in.__name__).get_fields_and_field_types())
        assert set(stand_in.__dataclass_fields__) == fields, stand_in.__name__
