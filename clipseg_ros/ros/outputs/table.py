# SPDX-License-Identifier: Apache-2.0
"""The table of outputs: a row is a topic, its type and how its message is made. Nobody listens, nothing is made."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from geometry_msgs.msg import PoseArray, PoseStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from clipseg_ros.msg import SegmentedObjectArray
from clipseg_ros.ros.outputs import collision, detections, label_info
from clipseg_ros.ros.outputs.clouds import to_cloud
from clipseg_ros.ros.outputs.colour_clouds import points_cloud, scene_cloud
from clipseg_ros.ros.outputs.images import fill_image
from clipseg_ros.ros.outputs.label_info import LabelInfoPublisher
from clipseg_ros.ros.outputs.labels import confidence, instances, label_mask, object_mask
from clipseg_ros.ros.outputs.markers import to_markers
from clipseg_ros.ros.outputs.poses import to_pose, to_pose_array
from clipseg_ros.ros.prompts.store import ActivePrompts
from clipseg_ros.ros.seen import Seen


class Output(NamedTuple):
    """message_type; make: from a frame to the message, to a list of messages, or None for nothing to publish; to the
    pixels of an image where `encodings` say what their type stands for; `keeps`: make is a class, and each camera has
    an instance of it that is called, since it goes by earlier frames.
    """

    message_type: type
    make: Callable[..., Any]
    encodings: Mapping[str, str] = {}
    keeps: bool = False


MONO = {"uint8": "mono8"}


OUTPUTS = {
    # The largest is there already and goes first: it travels while the others are made.
    "probability": Output(Image, lambda seen: seen.probability, {"float32": "32FC1"}),
    "mask": Output(Image, lambda seen: seen.maps.mask, MONO),
    "label": Output(Image, lambda seen: seen.maps.labels, MONO),
    "label_mask": Output(Image, label_mask, MONO),
    "confidence": Output(Image, confidence, MONO),
    "instances": Output(Image, instances, {"uint16": "16UC1", "int32": "32SC1"}),
    "object_mask": Output(Image, object_mask, MONO),
    "overlay": Output(Image, lambda seen: seen.overlay, {"uint8": "rgb8"}),
    "objects": Output(SegmentedObjectArray, lambda seen: seen.array),
    "poses": Output(PoseArray, lambda seen: to_pose_array(seen.array)),
    "pose": Output(PoseStamped, lambda seen: to_pose(seen.array)),
    "markers": Output(MarkerArray, lambda seen: to_markers(seen.array)),
    "cloud": Output(PointCloud2, lambda seen: to_cloud(
        [one.location.points for one in seen.objects], [one.prompt_index for one in seen.objects], seen.header)),
    "points": Output(PointCloud2, points_cloud),
    "scene_cloud": Output(PointCloud2, scene_cloud),
}
"""By the topic's name, in the order in which they are published."""

if detections.available():
    OUTPUTS["detections"] = Output(detections.Detection2DArray, lambda seen: detections.to_detections_2d(seen.array))
    OUTPUTS["detections_3d"] = Output(detections.Detection3DArray, lambda seen: detections.to_detections_3d(seen.array))
if collision.available():
    OUTPUTS["collision_objects"] = Output(collision.CollisionObject, collision.CollisionObjects, keeps=True)


class Outputs:
    """The publishers of one camera.

    Parameters
    ----------
    node : on which the publishers are made; they are silent while it is not active
    prefix : between ~/ and the topics' names: "" or "<camera>/"
    """

    def __init__(self, node: LifecycleNode, *, prefix: str) -> None:
        self._node = node
        self._prefix = f"~/{prefix}"
        qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
        self._publishers = {
            name: node.create_lifecycle_publisher(
                output.message_type, self._prefix + name, qos,
                qos_overriding_options=QoSOverridingOptions.with_default_policies())
            for name, output in OUTPUTS.items()}
        self._labels = LabelInfoPublisher(node, f"{self._prefix}label_info") if label_info.available() else None
        self._makers = {name: output.make() if output.keeps else output.make for name, output in OUTPUTS.items()}
        # Kept, since new memory for each picture takes the processor longer than filling it.
        self._images = {name: Image() for name, output in OUTPUTS.items() if output.encodings}

    @property
    def wanted(self) -> bool:
        """Whether anybody listens to any of the topics."""
        return any(map(self.wants, OUTPUTS))

    def wants(self, name: str) -> bool:
        """Whether anybody listens to this output."""
        return self._publishers[name].get_subscription_count() > 0

    def publish(self, seen: Seen) -> dict[str, Exception | None]:
        """Publish what is listened to, with the picture's stamp; one output's trouble costs no other anything.

        Returns what went wrong with each of them, by topic; None where nothing did.
        """
        self.announce(seen.active)
        told: dict[str, Exception | None] = {}
        for name, output in OUTPUTS.items():
            if self.wants(name):
                try:
                    self._send(name, output, seen)
                except Exception as error:  # whatever it is, the others are made of other things
                    told[self._prefix + name] = error
                else:
                    told[self._prefix + name] = None
            elif output.keeps:
                self._makers[name] = output.make()  # who listens later must hear all of it
        return told

    def _send(self, name: str, output: Output, seen: Seen) -> None:
        made = self._makers[name](seen)
        if output.encodings:
            made = fill_image(self._images[name], made, output.encodings[made.dtype.name], seen.header)
        for message in made if isinstance(made, list) else [made]:
            if message is not None:
                self._publishers[name].publish(message)

    def announce(self, active: ActivePrompts) -> None:
        """Say what the labels of the coming label images mean, where that is another thing than before."""
        if self._labels is not None:
            self._labels.publish(active)

    def destroy(self) -> None:
        """Remove the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        if self._labels is not None:
            self._labels.destroy()
