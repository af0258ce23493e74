# SPDX-License-Identifier: Apache-2.0
"""The depth images of one camera, found again by the stamp of a picture."""
from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from clipseg_ros.perception.depth import depth_in_metres, fit_to, looks_swapped, why_unmeasured
from clipseg_ros.ros.inputs.compressed_depth import compressed_to_depth
from clipseg_ros.ros.inputs.depth_buffer import DepthBuffer, Unmatched
from clipseg_ros.ros.inputs.images import image_to_depth
from clipseg_ros.ros.inputs.subscription import AdaptiveSubscription
from clipseg_ros.ros.reports import Reports
from clipseg_ros.ros.settings import Settings

UNMATCHED = 2.0
"""Seconds without any depth image near enough in time after which the node says so."""


class DepthInput:
    """Subscribes to depth images and keeps the newest few.

    Parameters
    ----------
    prefix : in front of the topic depth: "" or "<camera>/"
    compressed : whether they arrive on depth/compressedDepth
    """

    def __init__(self, node: Node, *, prefix: str, compressed: bool, reports: Reports,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._images: DepthBuffer[Image | CompressedImage] = DepthBuffer()
        self._unmatched_since: float | None = None
        topic = f"{prefix}depth"
        if compressed:
            topic = f"{node.resolve_topic_name(topic)}/compressedDepth"
        self._subscription = AdaptiveSubscription(node, CompressedImage if compressed else Image, topic, self.add,
                                                  reports=reports, type_hint="depth_transport")

    def __bool__(self) -> bool:
        """Whether any depth image has arrived."""
        return len(self._images) > 0

    def add(self, message: Image | CompressedImage) -> None:
        """Keep a depth image; nothing else happens in the caller's thread."""
        self._images.add(seconds(message.header), message)

    @property
    def topic(self) -> str:
        """Full name of the topic."""
        return self._subscription.topic

    def check(self) -> int:
        """Follow the publishers' quality of service; return their number. Call it now and again."""
        return self._subscription.check()

    def destroy(self) -> None:
        """Stop listening."""
        self._subscription.destroy()

    def metres(self, header: Header, size: tuple[int, int], settings: Settings) -> np.ndarray | None:
        """(H, W) float32 depth in metres, NaN where unknown, taken with the picture of this header and size.

        None where no depth image is near enough in time, which happens now and then.

        Raises
        ------
        ValueError
            With a sentence why there is none, also where none has been near enough for `UNMATCHED` seconds, or where
            the depth image has no reading in the range of the settings.
        """
        try:
            message = self._images.nearest(seconds(header), settings.depth_slop)
        except Unmatched:
            now = self._clock()
            self._unmatched_since = now if self._unmatched_since is None else self._unmatched_since
            if now - self._unmatched_since < UNMATCHED:
                return None
            raise
        self._unmatched_since = None
        depth = depth_of(message, header, size, settings)
        if np.isnan(depth).all():
            raise ValueError(why_unmeasured(*_raw(message), min_depth=settings.min_depth, max_depth=settings.max_depth))
        return depth


def depth_of(message: Image | CompressedImage, image: Header, size: tuple[int, int], settings: Settings) -> np.ndarray:
    """(H, W) float32 metres, NaN where unknown, of a depth message for a picture of this header and size (W, H).

    Raises
    ------
    ValueError
        If the message is faulty, seems to be in another byte order than it says, is in another frame than the
        picture or shows another view.
    """
    if not settings.assume_registered:
        _check_registered(message.header, image)
    depth, encoding = _raw(message)
    limits = {"min_depth": settings.min_depth, "max_depth": settings.max_depth}
    if isinstance(message, Image) and looks_swapped(depth, encoding, **limits):
        flag = int(message.is_bigendian)
        raise ValueError(f"the depth image looks byte-swapped (in the other order a reading is {_middle(depth):g}): "
                         f"its is_bigendian is {flag}, and {int(not flag)} would be right")
    return fit_to(depth_in_metres(depth, encoding, **limits), size)


def _raw(message: Image | CompressedImage) -> tuple[np.ndarray, str]:
    """(h, w) uint16 or float32 as it was sent, and its encoding. ValueError where the message is faulty."""
    return (image_to_depth(message), message.encoding) if isinstance(message, Image) else compressed_to_depth(message)


def _middle(depth: np.ndarray) -> float:
    """The median of the readings in the other byte order."""
    swapped = depth.byteswap()
    return float(np.median(swapped[np.isfinite(swapped) & (swapped != 0)]))


def seconds(header: Header) -> float:
    """The stamp in seconds."""
    return header.stamp.sec + header.stamp.nanosec * 1e-9


def _check_registered(depth: Header, image: Header) -> None:
    """Raise ValueError where the frames of a depth image and of a picture are known and differ."""
    frames = {header.frame_id.lstrip("/") for header in (depth, image)} - {""}  # a slash in front is ROS 1's
    if len(frames) > 1:
        raise ValueError(f"the depth image is in the frame {depth.frame_id}, the image in {image.frame_id}; register it "
                         "to the colour camera (the driver's align_depth, or depth_image_proc), or set "
                         "assume_registered if it is")
