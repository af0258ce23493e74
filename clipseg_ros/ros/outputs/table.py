# SPDX-License-Identifier: Apache-2.0
"""The table of outputs: a row is a topic, its type and how its message is made. Nobody listens, nothing is made."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from geometry_msgs.msg import PoseArray, PoseStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.ros.outputs import detections
from clipseg_ros.ros.outputs.clouds import to_cloud
from clipseg_ros.ros.outputs.images import fill_image
from clipseg_ros.ros.outputs.markers import to_markers
from clipseg_ros.ros.outputs.poses import to_pose, to_pose_array
from clipseg_ros.ros.seen import Seen


class Output(NamedTuple):
    """message_type; make: from a frame to the message, or None for nothing to publish; with an `encoding`, to the
    pixels of an image.
    """

    message_type: type
    make: Callable[[Seen], Any]
    encoding: str = ""


OUTPUTS = {
    # The largest is there already and goes first: it travels while the others are made.
    "probability": Output(Image, lambda seen: seen.probability, "32FC1"),
    "mask": Output(Image, lambda seen: seen.maps.mask, "mono8"),
    "label": Output(Image, lambda seen: seen.maps.labels, "mono8"),
    "overlay": Output(Image, lambda seen: seen.overlay, "rgb8"),
    "objects": Output(SegmentedObjectArray, lambda seen: seen.array),
    "poses": Output(PoseArray, lambda seen: to_pose_array(seen.array)),
    "pose": Output(PoseStamped, lambda seen: to_pose(seen.array)),
    "markers": Output(MarkerArray, lambda seen: to_markers(seen.array)),
    "cloud": Output(PointCloud2, lambda seen: to_cloud(
        [one.location.points for one in seen.objects], [one.prompt_index for one in seen.objects], seen.header)),
}
"""By the topic's name, in the order in which they are published."""

if detections.available():
    OUTPUTS["detections"] = Output(detections.Detection2DArray, lambda seen: detections.to_detections_2d(seen.array))
    OUTPUTS["detections_3d"] = Output(detections.Detection3DArray, lambda seen: detections.to_detections_3d(seen.array))


class Outputs:
    """The publishers of one camera.

    Parameters
    ----------
    node : on which the publishers are made; they are silent while it is not active
    prefix : between ~/ and the topics' names: "" or "<camera>/"
    """

    def __init__(self, node: LifecycleNode, *, prefix: str) -> None:
        self._node = node
        qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        self._publishers = {
            name: node.create_lifecycle_publisher(
                output.message_type, f"~/{prefix}{name}", qos,
                qos_overriding_options=QoSOverridingOptions.with_default_policies())
            for name, output in OUTPUTS.items()}
        # Kept, since new memory for each picture takes the processor longer than filling it.
        self._images = {name: Image() for name, output in OUTPUTS.items() if output.encoding}

    @property
    def wanted(self) -> bool:
        """Whether anybody listens to any of the topics."""
        return any(map(self.wants, OUTPUTS))

    def wants(self, name: str) -> bool:
        """Whether anybody listens to this output."""
        return self._publishers[name].get_subscription_count() > 0

    def publish(self, seen: Seen) -> None:
        """Publish what is listened to, with the picture's stamp."""
        for name, output in OUTPUTS.items():
            if self.wants(name):
                message = output.make(seen)
                if output.encoding:
                    message = fill_image(self._images[name], message, output.encoding, seen.header)
                if message is not None:
                    self._publishers[name].publish(message)

    def destroy(self) -> None:
        """Remove the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
