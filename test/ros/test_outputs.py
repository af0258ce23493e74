# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.clipseg import Prompt  # noqa: E402
from clipseg_ros.ros.findings import Findings  # noqa: E402
from clipseg_ros.ros.frame_result import FrameResult  # noqa: E402
from clipseg_ros.ros.outputs import Outputs  # noqa: E402
from clipseg_ros.ros.prompt_store import ActivePrompts  # noqa: E402

pytestmark = pytest.mark.ros


class Publisher:
    def __init__(self) -> None:
        self.listeners = 0
        self.published: list = []

    def get_subscription_count(self) -> int:
        return self.listeners

    def publish(self, message) -> None:
        self.published.append(message)


class Node:
    """Makes publishers by topic."""

    def __init__(self) -> None:
        self.publishers: dict[str, Publisher] = {}

    def create_lifecycle_publisher(self, message_type, topic, qos, **kwargs) -> Publisher:
        return self.publishers.setdefault(topic, Publisher())


def result() -> FrameResult:
    active = ActivePrompts(("mug",), (Prompt("mug"),), (0.5,))
    return FrameResult(np.zeros((4, 6, 3), np.uint8), active, np.full((1, 4, 6), 0.7, np.float32))


@pytest.mark.parametrize(("listened", "computed"), [
    ([], set()),
    (["probability"], {"stacked"}),
    (["mask"], {"labels", "mask"}),
    (["label", "overlay"], {"labels", "overlay", "scores"}),
    (["objects"], {"scores", "objects"}),
    (["poses", "markers"], {"scores", "objects"}),
    (["cloud"], {"objects"}),
])
def test_only_what_is_listened_to_is_computed(listened, computed):
    node = Node()
    outputs = Outputs(node, prefix="front/")
    for name in listened:
        node.publishers[f"~/front/{name}"].listeners = 1
    assert outputs.wanted == bool(listened)
    found, asked = result(), set()
    before = set(vars(found))
    header = Header(frame_id="camera")
    outputs.publish(found, header, lambda: asked.add("objects") or Findings(found, header, (), "camera"))
    assert (set(vars(found)) - before) | asked == computed
    sent = {topic.removeprefix("~/front/") for topic, publisher in node.publishers.items() if publisher.published}
    assert sent == set(listened)
    for publisher in node.publishers.values():
        for message in publisher.published:
            headers = [marker.header for marker in message.markers] if hasattr(message, "markers") else [message.header]
            assert all(sent.frame_id == "camera" for sent in headers)


def test_without_an_object_of_the_first_prompt_there_is_no_pose():
    node = Node()
    outputs = Outputs(node, prefix="")
    node.publishers["~/pose"].listeners = 1
    outputs.publish(result(), Header(), lambda: Findings(result(), Header(), (), ""))
    assert node.publishers["~/pose"].published == []
