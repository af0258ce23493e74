# SPDX-License-Identifier: Apache-2.0
"""One camera: its newest frame, and the depth and calibration that belong to it."""
from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from clipseg_ros.ros.adaptive_subscription import AdaptiveSubscription
from clipseg_ros.ros.calibration import Calibration
from clipseg_ros.ros.depth_input import DepthInput
from clipseg_ros.ros.messages import compressed_to_rgb, image_to_rgb
from clipseg_ros.ros.reports import Reports
from clipseg_ros.ros.view import View

SILENCE = 5.0
"""Seconds without an image after which the node says why there is none."""


class Frame:
    """One image message, converted when it is first looked at and then never again."""

    def __init__(self, message: Image | CompressedImage) -> None:
        self._message = message

    @property
    def header(self) -> Header:
        """The image's own stamp and frame."""
        return self._message.header

    @cached_property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB. Raises ValueError where the message is faulty."""
        return image_to_rgb(self._message) if isinstance(self._message, Image) else compressed_to_rgb(self._message)

    @cached_property
    def fault(self) -> str:
        """What is wrong with the message, so that `rgb` raises; empty for nothing."""
        try:
            self.rgb
        except ValueError as error:
            return str(error)
        return ""


class CameraInput:
    """Subscribes to a camera and keeps what arrived last; the network never runs in its callbacks.

    Parameters
    ----------
    node : on which the subscriptions are made
    name : of the camera, for people
    prefix : in front of the topics image, camera_info and depth: "" or "<name>/"
    compressed, compressed_depth : whether images arrive on image/compressed, depth on depth/compressedDepth
    on_frame : called with each new `Frame`
    """

    def __init__(self, node: Node, name: str, *, prefix: str, compressed: bool, compressed_depth: bool,
                 reports: Reports, on_frame: Callable[[Frame], None]) -> None:
        self.name = name
        self.newest: Frame | None = None
        self._reports = reports
        self._on_frame = on_frame
        self._info: CameraInfo | None = None
        self._calibration = Calibration()
        self._heard = time.monotonic()
        self._published = False

        def subscribe(message_type: type, topic: str, callback: Callable) -> AdaptiveSubscription:
            return AdaptiveSubscription(node, message_type, topic, callback, reports=reports)

        if compressed:
            topic = node.resolve_topic_name(f"{prefix}image") + "/compressed"
            self._images = subscribe(CompressedImage, topic, self._on_image)
        else:
            self._images = subscribe(Image, f"{prefix}image", self._on_image)
        self._infos = subscribe(CameraInfo, f"{prefix}camera_info", self._on_info)
        self._depths = DepthInput(node, prefix=prefix, compressed=compressed_depth, reports=reports)

    @property
    def topic(self) -> str:
        """Full name of the image topic."""
        return self._images.topic

    def check(self) -> None:
        """Follow the publishers' quality of service and say why no image arrives. Call it now and again."""
        self._published = bool(self._images.check())
        self._infos.check()
        self._depths.check()
        if self.silence:
            self._reports.warn(f"{self.topic}: {self.silence}")

    @property
    def silence(self) -> str:
        """Why no image arrives; empty while they do."""
        silent = time.monotonic() - self._heard
        if silent < SILENCE:
            return ""
        if self._published:
            return f"no image has arrived for {silent:.0f} s, although something publishes there"
        return "nothing publishes images there; remap `image` to the camera's topic"

    def destroy(self) -> None:
        """Stop listening. The newest frame stays."""
        for subscription in (self._images, self._infos, self._depths):
            subscription.destroy()

    def view(self, frame: Frame, parameters: Any) -> View:
        """What is known of the camera and of the depth at the time of the frame; what is faulty is reported."""
        height, width = frame.rgb.shape[:2]
        size = (width, height)
        info = self._info
        try:
            if info is None:
                if self._depths:
                    raise ValueError("there is depth, but no camera_info has arrived")
                return View()
            camera = self._calibration.camera(info, size, rectified=parameters["rectified"])
        except ValueError as error:
            self._reports.warn(f"{self.topic}: objects have no pose: {error}")
            return View()
        try:
            return View(camera, self._depths.metres(frame.header, size, parameters) if self._depths else None)
        except ValueError as error:
            self._reports.warn(f"{self.topic}: objects have no pose: {error}")
            return View(camera)

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._heard = time.monotonic()
        self.newest = Frame(message)
        self._on_frame(self.newest)

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message
