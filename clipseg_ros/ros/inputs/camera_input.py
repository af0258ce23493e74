# SPDX-License-Identifier: Apache-2.0
"""What arrives from one camera: its newest frame, and the depth and calibration that belong to it."""
from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from clipseg_ros.messages.calibration import Calibration
from clipseg_ros.ros.inputs.depth import DepthInput
from clipseg_ros.ros.inputs.frame import Frame, Space
from clipseg_ros.ros.inputs.gravity import Gravity
from clipseg_ros.ros.inputs.mixture import Mixture
from clipseg_ros.ros.inputs.subscription import AdaptiveSubscription
from clipseg_ros.ros.reports import Reports
from clipseg_ros.ros.settings import Settings

SILENCE = 5.0
"""Seconds without an image after which the node says why there is none."""
KEPT = 32
"""Calibrations that are kept for the images that wait for the network."""


class CameraInput:
    """Subscribes to a camera and keeps what arrived last; the network never runs in its callbacks.

    Parameters
    ----------
    node : on which the subscriptions are made
    prefix : in front of the topics image, camera_info and depth: "" or "<name>/"
    settings : whether images arrive on image/compressed, depth on depth/compressedDepth
    on_frame : called with each new `Frame`

    Attributes
    ----------
    newest : the last frame, None before the first
    mono16_range : what is white in pictures of 16 bits
    without_depth : frames of which depth was wanted, sent by the camera, and not found
    """

    def __init__(self, node: Node, *, prefix: str, settings: Settings, reports: Reports,
                 on_frame: Callable[[Frame], None]) -> None:
        self.newest: Frame | None = None
        self.without_depth = 0
        self.mono16_range = settings.mono16_range
        self._node = node
        self._prefix = prefix
        self._reports = reports
        self._on_frame = on_frame
        self._known: deque[CameraInfo] = deque(maxlen=KEPT)
        self._mixture = Mixture()
        self._no_pose, self._no_pose_at = "", -math.inf
        self._calibration = Calibration(lambda sentence: reports.warn(f"{self.topic}: {sentence}"))
        self._heard = time.monotonic()
        self._published = False
        self._was_silent = False
        compressed = settings.image_transport == "compressed"
        image = f"{node.resolve_topic_name(f'{prefix}image')}/compressed" if compressed else f"{prefix}image"
        with ExitStack() as made:
            self._images = AdaptiveSubscription(node, CompressedImage if compressed else Image, image, self._on_image,
                                                reports=reports, type_hint="image_transport")
            made.callback(self._images.destroy)
            self._infos = AdaptiveSubscription(node, CameraInfo, f"{prefix}camera_info", self._on_info, reports=reports,
                                               depth=KEPT)
            made.callback(self._infos.destroy)
            self._depths = DepthInput(node, prefix=prefix, compressed=settings.depth_transport == "compressed",
                                      reports=reports)
            made.callback(self._depths.destroy)
            self._gravity = Gravity(node, prefix=prefix, reports=reports)
            made.callback(self._gravity.destroy)
            self._needs_up = _needs_up(settings)
            self._gravity.listen(self._needs_up)
            self._made = made.pop_all()

    @property
    def topic(self) -> str:
        """Full name of the image topic."""
        return self._images.topic

    @property
    def age(self) -> float:
        """Seconds since the newest frame arrived, or since the beginning."""
        return time.monotonic() - self._heard

    @property
    def silence(self) -> str:
        """Why no image arrives; empty while they do."""
        if self.age < SILENCE:
            return ""
        if self._published:
            return f"no image has arrived for {self.age:.0f} s, although something publishes there"
        return "nothing publishes images there; remap `image` to the camera's topic"

    @property
    def trouble(self) -> str:
        """What is wrong: images of several cameras, or why objects had no pose a moment ago; empty for nothing."""
        return self._mixture.sentence or (self._no_pose if time.monotonic() - self._no_pose_at < SILENCE else "")

    def check(self) -> None:
        """Follow the publishers' quality of service and say why no image arrives. Call it now and again."""
        self._published = bool(self._images.check())
        self._gravity.listen(self._needs_up)
        space = {self._infos.topic: self._infos.check(), self._depths.topic: self._depths.check()}
        silent, self._was_silent = self._was_silent, bool(self.silence)
        if self.silence:
            self._reports.warn(f"{self.topic}: {self.silence}")
            return
        if silent:
            self._node.get_logger().info(f"{self.topic}: images arrive again")
        if self._mixture.sentence:
            self._reports.warn(f"{self.topic}: {self._mixture.sentence}")
        for name, topic in (("camera_info", self._infos.topic), ("depth", self._depths.topic)):
            if not space[topic] and (any(space.values()) or self._is_remapped(name)):
                self._reports.warn(f"{topic}: nothing publishes there, so objects have no pose; remap `{name}` to the "
                                   "camera's topic")

    def destroy(self) -> None:
        """Stop listening. The newest frame stays."""
        self._made.close()

    def space(self, frame: Frame, settings: Settings) -> Space:
        """What is known of the camera and of the depth at the time of the frame; what is faulty is reported."""
        camera = depth = None
        self._needs_up = _needs_up(settings)  # the worker's thread makes no subscriptions; `check` does
        up = self._gravity.up(frame.header.frame_id) if self._needs_up else None
        try:
            info = self._info_of(frame.header)
            if info is not None:
                camera = self._calibration.camera(info, frame.size, rectified=settings.rectified, image=frame.header)
                depth = self._depths.metres(frame.header, frame.size, settings) if self._depths else None
            elif self._depths:
                raise ValueError("there is depth, but no camera_info has arrived")
            self._no_pose = ""
        except ValueError as error:
            self._no_pose, self._no_pose_at = f"objects have no pose: {error}", time.monotonic()
            self._reports.warn(f"{self.topic}: {self._no_pose}")
        self.without_depth += bool(self._depths) and depth is None
        return Space(camera, depth, up)

    def _info_of(self, header: Header) -> CameraInfo | None:
        """The calibration that came with the image of this header, or else the newest one; None where there is none."""
        arrived = self._known.copy()  # others arrive meanwhile
        return next((info for info in reversed(arrived) if info.header == header), arrived[-1] if arrived else None)

    def _is_remapped(self, name: str) -> bool:
        """Whether somebody has named another topic for it, and so counts on it."""
        own = f"{self._node.get_namespace().rstrip('/')}/{self._prefix}{name}"
        return self._node.resolve_topic_name(f"{self._prefix}{name}") != own

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._heard = time.monotonic()
        if not (message.header.stamp.sec or message.header.stamp.nanosec):
            self._reports.warn(f"{self.topic}: the images have the stamp 0, so the newest depth is taken for each, and "
                               "results cannot be told apart; the camera's driver must stamp them")
        self._mixture.see(message)
        self.newest = _CameraFrame(message, self)
        self._on_frame(self.newest)

    def _on_info(self, message: CameraInfo) -> None:
        self._known.append(message)


def _needs_up(settings: Settings) -> bool:
    """Whether an accelerometer must say where up is."""
    return settings.point == "top" and not settings.target_frame


class _CameraFrame(Frame):
    """A frame whose camera also sends calibration and depth."""

    def __init__(self, message: Image | CompressedImage, source: CameraInput) -> None:
        super().__init__(message, mono16_range=source.mono16_range)
        self._source = source

    def space(self, settings: Settings) -> Space:
        return self._source.space(self, settings)
