# SPDX-License-Identifier: Apache-2.0
"""One camera: its newest frame, and the depth and calibration that belong to it."""
from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.ros.adaptive_subscription import AdaptiveSubscription
from clipseg_ros.ros.depth_buffer import DepthBuffer
from clipseg_ros.ros.messages import compressed_to_rgb, image_to_depth, image_to_rgb
from clipseg_ros.ros.reports import Reports

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


class CameraInput:
    """Subscribes to a camera and keeps what arrived last; the network never runs in its callbacks.

    Parameters
    ----------
    node : on which the subscriptions are made
    name : of the camera, for people
    prefix : in front of the topics image, camera_info and depth: "" or "<name>/"
    compressed : whether images arrive on image/compressed
    on_frame : called with each new `Frame`
    """

    def __init__(self, node: Node, name: str, *, prefix: str, compressed: bool, reports: Reports,
                 on_frame: Callable[[Frame], None]) -> None:
        self.name = name
        self.newest: Frame | None = None
        self._reports = reports
        self._on_frame = on_frame
        self._info: CameraInfo | None = None
        self._depths: DepthBuffer[Image] = DepthBuffer()
        self._heard = time.monotonic()

        def subscribe(message_type: type, topic: str, callback: Callable) -> AdaptiveSubscription:
            return AdaptiveSubscription(node, message_type, topic, callback, reports=reports)

        if compressed:
            topic = node.resolve_topic_name(f"{prefix}image") + "/compressed"
            self._images = subscribe(CompressedImage, topic, self._on_image)
        else:
            self._images = subscribe(Image, f"{prefix}image", self._on_image)
        self._others = (subscribe(CameraInfo, f"{prefix}camera_info", self._on_info),
                        subscribe(Image, f"{prefix}depth", self._on_depth))

    @property
    def topic(self) -> str:
        """Full name of the image topic."""
        return self._images.topic

    def check(self) -> None:
        """Follow the publishers' quality of service and say why no image arrives. Call it now and again."""
        publishers = self._images.check()
        for subscription in self._others:
            subscription.check()
        silent = time.monotonic() - self._heard
        if silent < SILENCE:
            return
        if publishers:
            self._reports.warn(f"{self.topic}: no image has arrived for {silent:.0f} s, "
                               "although something publishes there")
        else:
            self._reports.warn(f"{self.topic}: nothing publishes images there; remap `image` to the camera's topic")

    def destroy(self) -> None:
        """Stop listening. The newest frame stays."""
        for subscription in (self._images, *self._others):
            subscription.destroy()

    def pinhole(self, frame: Frame) -> Pinhole:
        """The camera that took the frame. ValueError, with a sentence why, where it is not known."""
        info = self._info
        if info is None:
            raise ValueError("no camera_info has arrived")
        roi = info.roi
        pinhole = Pinhole.from_camera_info(info.k, info.width, info.height, binning=(info.binning_x, info.binning_y),
                                           roi=(roi.x_offset, roi.y_offset, roi.width, roi.height))
        height, width = frame.rgb.shape[:2]
        if pinhole.size != (width, height):
            raise ValueError(f"camera_info describes images of {pinhole.size[0]}x{pinhole.size[1]} pixels, but the "
                             f"image has {width}x{height}")
        return pinhole

    def depth(self, frame: Frame, slop: float) -> tuple[np.ndarray, str]:
        """(H, W) depth taken with the frame, and its encoding. ValueError, with a sentence why, where there is none."""
        message = self._depths.nearest(_seconds(frame.header), slop)
        if message.header.frame_id and frame.header.frame_id and message.header.frame_id != frame.header.frame_id:
            raise ValueError(f"the depth image is in the frame {message.header.frame_id}, the image in "
                             f"{frame.header.frame_id}; depth registered to the colour camera is needed")
        depth = image_to_depth(message)
        if depth.shape != frame.rgb.shape[:2]:
            raise ValueError(f"the depth image has {depth.shape[1]}x{depth.shape[0]} pixels, the image "
                             f"{frame.rgb.shape[1]}x{frame.rgb.shape[0]}; depth registered to the colour camera is "
                             "needed")
        return depth, message.encoding

    @property
    def has_depth(self) -> bool:
        """Whether any depth image has arrived."""
        return len(self._depths) > 0

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._heard = time.monotonic()
        self.newest = Frame(message)
        self._on_frame(self.newest)

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _on_depth(self, message: Image) -> None:
        self._depths.add(_seconds(message.header), message)


def _seconds(header: Header) -> float:
    return header.stamp.sec + header.stamp.nanosec * 1e-9
