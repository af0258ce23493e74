# SPDX-License-Identifier: Apache-2.0
"""The publishers of one camera; nothing is computed for a topic to which nobody listens."""
from __future__ import annotations

from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from clipseg_ros.msg import SegmentedObject, SegmentedObjectArray
from clipseg_ros.ros.frame_result import FrameResult
from clipseg_ros.ros.messages import to_image
from clipseg_ros.ros.objects import to_array

_PICTURES: dict[str, tuple[str, Callable[[FrameResult], object]]] = {
    # The largest is there already and goes first: it travels while the others are made.
    "probability": ("32FC1", lambda result: result.stacked),
    "mask": ("mono8", lambda result: result.mask),
    "label": ("mono8", lambda result: result.labels),
    "overlay": ("rgb8", lambda result: result.overlay),
}


class Outputs:
    """Publishes the results of one camera on ~/mask, ~/label, ~/probability, ~/overlay and ~/objects.

    Parameters
    ----------
    node : on which the publishers are made; they are silent while it is not active
    prefix : between ~/ and the topics' names: "" or "<camera>/"
    """

    def __init__(self, node: LifecycleNode, *, prefix: str) -> None:
        self._node = node
        self._pictures = {name: self._publisher(Image, f"~/{prefix}{name}") for name in _PICTURES}
        self._objects = self._publisher(SegmentedObjectArray, f"~/{prefix}objects")

    @property
    def wanted(self) -> bool:
        """Whether anybody listens to any of the topics."""
        return any(publisher.get_subscription_count() for publisher in (*self._pictures.values(), self._objects))

    def publish(self, result: FrameResult, header: Header, objects: Callable[[], list[SegmentedObject]]) -> None:
        """Publish what is listened to, with the image's header; `objects` is called only where it is needed."""
        for name, publisher in self._pictures.items():
            if publisher.get_subscription_count():
                encoding, picture = _PICTURES[name]
                publisher.publish(to_image(picture(result), encoding, header))
        if self._objects.get_subscription_count():
            self._objects.publish(to_array(result, header, objects()))

    def destroy(self) -> None:
        """Remove the publishers."""
        for publisher in (*self._pictures.values(), self._objects):
            self._node.destroy_lifecycle_publisher(publisher)

    def _publisher(self, message_type: type, topic: str):
        qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        return self._node.create_lifecycle_publisher(
            message_type, topic, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies())
