# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("clipseg_ros.srv")
from rclpy.clock import Clock  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from clipseg_ros.clipseg import Prompt  # noqa: E402
from clipseg_ros.perception.maps import Maps  # noqa: E402
from clipseg_ros.ros.inputs.frame import Space  # noqa: E402
from clipseg_ros.ros.outputs.table import OUTPUTS, Outputs  # noqa: E402
from clipseg_ros.ros.prompts.store import ActivePrompts  # noqa: E402
from clipseg_ros.ros.seen import Seen  # noqa: E402
from clipseg_ros.ros.settings import Settings  # noqa: E402

pytestmark = pytest.mark.ros


class Publisher:
    def __init__(self) -> None:
        self.listeners = 0
        self.published: list = []
        self.is_activated = True

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

    def get_clock(self) -> Clock:
        return Clock()


class StillFrame:
    header = Header(frame_id="camera")
    rgb = np.zeros((4, 6, 3), np.uint8)

    def space(self, settings: Settings) -> Space:
        return Space()


def seen(probability: float = 0.7) -> Seen:
    active = ActivePrompts(("mug",), (Prompt("mug"),), (0.5,))
    maps = Maps(np.full((1, 4, 6), probability, np.float32), active.thresholds)
    return Seen(StillFrame(), active, maps, settings=Settings(min_area=1), reports=None)


def computed(one: Seen) -> set[str]:
    """What was made, of the frame and of its maps."""
    lazy = {"maps", "probability", "overlay", "space", "objects", "array"}
    made = lazy & set(vars(one))
    return made | ({"labels", "mask"} & set(vars(one.maps)) if "maps" in made else set())


@pytest.mark.parametrize(("listened", "made"), [
    ([], set()),
    (["probability"], {"maps", "probability", "space"}),
    (["mask"], {"maps", "labels", "mask", "space"}),
    (["label"], {"maps", "labels", "space"}),
    (["overlay"], {"maps", "labels", "overlay", "space", "objects"}),
    (["objects"], {"space", "objects", "array"}),
    (["poses", "markers"], {"space", "objects", "array"}),
    (["cloud"], {"space", "objects"}),
])
def test_only_what_is_listened_to_is_computed(listened, made):
    node = Node()
    outputs = Outputs(node, prefix="front/")
    for name in listened:
        node.publishers[f"~/front/{name}"].listeners = 1
    assert outputs.wanted == bool(listened)
    assert [name for name in OUTPUTS if outputs.wants(name)] == [name for name in OUTPUTS if name in listened]
    one = seen()
    outputs.publish(one)
    assert computed(one) == made
    node.publishers.pop("~/front/label_info", None)  # tells of the prompts, not of frames
    sent = {topic.removeprefix("~/front/") for topic, publisher in node.publishers.items() if publisher.published}
    assert sent == set(listened)
    for publisher in node.publishers.values():
        for message in publisher.published:
            headers = [marker.header for marker in message.markers] if hasattr(message, "markers") else [message.header]
            assert all(sent.frame_id == "camera" for sent in headers)


@pytest.mark.parametrize("probability", [0.1, 0.7])
def test_without_a_pose_of_the_first_prompt_there_is_no_pose(probability):
    node = Node()
    outputs = Outputs(node, prefix="")
    node.publishers["~/pose"].listeners = 1
    outputs.publish(seen(probability))
    assert node.publishers["~/pose"].published == []
