# SPDX-License-Identifier: Apache-2.0
"""The publishers of one camera; nothing is computed for a topic to which nobody listens."""
from __future__ import annotations

from collections.abc import Callable

from geometry_msgs.msg import PoseArray, PoseStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.ros import detections
from clipseg_ros.ros.findings import Findings
from clipseg_ros.ros.frame_result import FrameResult
from clipseg_ros.ros.messages import fill_image

_PICTURES: dict[str, tuple[str, Callable[[FrameResult], object]]] = {
    # The largest is there already and goes first: it travels while the others are made.
    "probability": ("32FC1", lambda result: result.stacked),
    "mask": ("mono8", lambda result: result.mask),
    "label": ("mono8", lambda result: result.labels),
    "overlay": ("rgb8", lambda result: result.overlay),
}
_OBJECTS: dict[str, tuple[type, Callable[[Findings], object]]] = {
    "objects": (SegmentedObjectArray, lambda findings: findings.array),
    "poses": (PoseArray, lambda findings: findings.poses),
    "pose": (PoseStamped, lambda findings: findings.pose),
    "markers": (MarkerArray, lambda findings: findings.markers),
    "cloud": (PointCloud2, lambda findings: findings.cloud),
}


class Outputs:
    """Publishes the results of one camera on ~/mask, ~/label, ~/probability, ~/overlay, ~/objects, ~/poses, ~/pose,
    ~/markers and ~/cloud, and where vision_msgs is installed also on ~/detections and ~/detections_3d.

    Parameters
    ----------
    node : on which the publishers are made; they are silent while it is not active
    prefix : between ~/ and the topics' names: "" or "<camera>/"
    """

    def __init__(self, node: LifecycleNode, *, prefix: str) -> None:
        self._node = node
        self._pictures = {name: self._publisher(Image, f"~/{prefix}{name}") for name in _PICTURES}
        # Kept, since new memory for each picture takes the processor longer than filling it.
        self._messages = {name: Image() for name in _PICTURES}
        kinds = dict(_OBJECTS)
        if detections.available():
            kinds["detections"] = (detections.Detection2DArray, lambda findings: findings.detections)
            kinds["detections_3d"] = (detections.Detection3DArray, lambda findings: findings.detections_3d)
        self._objects = {name: (self._publisher(kind, f"~/{prefix}{name}"), make)
                         for name, (kind, make) in kinds.items()}

    @property
    def wanted(self) -> bool:
        """Whether anybody listens to any of the topics."""
        return any(publisher.get_subscription_count() for publisher in self._publishers())

    @property
    def wants_probability(self) -> bool:
        """Whether anybody listens to ~/probability."""
        return self._pictures["probability"].get_subscription_count() > 0

    def publish(self, result: FrameResult, header: Header, find: Callable[[], Findings]) -> None:
        """Publish what is listened to, with the picture's header; `find` is called only where it is needed."""
        for name, publisher in self._pictures.items():
            if publisher.get_subscription_count():
                encoding, picture = _PICTURES[name]
                publisher.publish(fill_image(self._messages[name], picture(result), encoding, header))
        wanted = [(publisher, make) for publisher, make in self._objects.values() if publisher.get_subscription_count()]
        if not wanted:
            return
        findings = find()
        for publisher, make in wanted:
            message = make(findings)
            if message is not None:
                publisher.publish(message)

    def destroy(self) -> None:
        """Remove the publishers."""
        for publisher in self._publishers():
            self._node.destroy_lifecycle_publisher(publisher)

    def _publishers(self) -> list:
        return [*self._pictures.values(), *(publisher for publisher, _ in self._objects.values())]

    def _publisher(self, message_type: type, topic: str):
        qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        return self._node.create_lifecycle_publisher(
            message_type, topic, qos, qos_overriding_options=QoSOverridingOptions.with_default_policies())
