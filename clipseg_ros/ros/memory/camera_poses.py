# SPDX-License-Identifier: Apache-2.0
"""Where the cameras were when they took their images, in the frame of the memory."""
from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from threading import Condition

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from std_msgs.msg import Header

from clipseg_ros.messages.headers import seconds
from clipseg_ros.perception.trajectory import Trajectory
from clipseg_ros.perception.transforms import Transform
from clipseg_ros.ros.inputs.subscription import AdaptiveSubscription
from clipseg_ros.ros.inputs.target_frame import TargetFrame
from clipseg_ros.ros.outputs.poses import to_transform
from clipseg_ros.ros.reports import Reports


class CameraPoses:
    """From the topic camera_pose of each camera, as visual odometry publishes it, or else from tf2 where there is one.

    Parameters
    ----------
    node : on which the subscriptions are made
    frame : the fixed frame
    prefixes : in front of the topic, by the cameras' names
    timeout : seconds for which `lookup` waits for a pose that has not arrived yet

    Raises
    ------
    ValueError
        If the frame cannot be one.
    """

    def __init__(self, node: Node, frame: str, *, prefixes: Mapping[str, str], timeout: float,
                 reports: Reports) -> None:
        self._frame, self._timeout, self._reports = frame, timeout, reports
        self._target = None
        with suppress(ValueError):  # where tf2 is not installed
            self._target = TargetFrame(node, frame, timeout=timeout)
        self._arrived = Condition()
        self._trajectories = {name: Trajectory() for name in prefixes}
        self._subscriptions = {name: AdaptiveSubscription(node, PoseStamped, f"{prefix}camera_pose",
                                                          partial(self._hear, name), reports=reports)
                               for name, prefix in prefixes.items()}

    def check(self) -> None:
        """Follow the publishers' quality of service. Call it now and again."""
        for subscription in self._subscriptions.values():
            subscription.check()

    def lookup(self, camera: str, header: Header) -> Transform:
        """From the camera's optical frame to the fixed frame at the image's stamp; not in the executor's thread.

        Raises
        ------
        ValueError
            If it is not known, with a sentence.
        """
        trajectory, topic = self._trajectories[camera], self._subscriptions[camera].topic
        if not len(trajectory):
            if self._target is None:
                raise ValueError(f"nothing says where the camera was: no pose has arrived on {topic}, and "
                                 "tf2_ros is not installed")
            return self._target.lookup(header)
        with self._arrived:
            at = self._arrived.wait_for(lambda: trajectory.at(seconds(header)), self._timeout)
        if at is None:
            raise ValueError(f"no pose on {topic} is of the time of the image; both need one clock")
        return at

    def destroy(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions.values():
            subscription.destroy()
        if self._target is not None:
            self._target.destroy()

    def _hear(self, camera: str, message: PoseStamped) -> None:
        topic = self._subscriptions[camera].topic
        if message.header.frame_id.lstrip("/") != self._frame:
            self._reports.warn(f"{topic}: the pose is in the frame {message.header.frame_id!r}; it must be in "
                               f"memory_frame, {self._frame!r}")
            return
        try:
            pose = to_transform(message.pose)
        except ValueError as error:
            self._reports.warn(f"{topic}: {error}")
            return
        with self._arrived:
            self._trajectories[camera].add(seconds(message.header), pose)
            self._arrived.notify_all()
