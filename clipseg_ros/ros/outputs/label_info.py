# SPDX-License-Identifier: Apache-2.0
"""What the numbers in label images mean, for Nav2's semantic segmentation layer; needs vision_msgs, an option."""
from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header

from clipseg_ros.ros.prompts.store import ActivePrompts

try:
    from vision_msgs.msg import LabelInfo, VisionClass
except ImportError:
    LabelInfo = None


def available() -> bool:
    """Whether vision_msgs has the message; it is younger than the rest of the package."""
    return LabelInfo is not None


def to_label_info(texts: Sequence[str], thresholds: Sequence[float], header: Header) -> LabelInfo:
    """The prompts as the classes 1, 2, ... of ~/label_mask; 0, which stands for none, is not among them.

    The threshold is the lowest of the prompts', 0 to 1.
    """
    return LabelInfo(header=header, threshold=float(min(thresholds, default=0.0)), class_map=[
        VisionClass(class_id=number, class_name=text) for number, text in enumerate(texts, 1)])


class LabelInfoPublisher:
    """Publishes latched, and only what differs from what was published last; safe to use from several threads."""

    def __init__(self, node: LifecycleNode, topic: str) -> None:
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._node = node
        self._publisher = node.create_lifecycle_publisher(LabelInfo, topic, qos)
        self._lock = Lock()
        self._last: tuple[tuple[str, ...], tuple[float, ...]] | None = None

    def publish(self, active: ActivePrompts) -> None:
        """Publish the prompts; nothing happens while the node is not active, or where they are known."""
        now = active.texts, active.thresholds
        with self._lock:
            if now != self._last and self._publisher.is_activated:
                self._last = now
                header = Header(stamp=self._node.get_clock().now().to_msg())
                self._publisher.publish(to_label_info(*now, header))

    def destroy(self) -> None:
        """Remove the publisher."""
        self._node.destroy_lifecycle_publisher(self._publisher)
