# SPDX-License-Identifier: Apache-2.0
"""The depth images of one camera, found again by the stamp of a picture."""
from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from clipseg_ros.messages.depth import measured_depth_of
from clipseg_ros.messages.headers import seconds
from clipseg_ros.ros.inputs.depth_buffer import DepthBuffer, Unmatched
from clipseg_ros.ros.inputs.subscription import AdaptiveSubscription
from clipseg_ros.ros.reports import Reports
from clipseg_ros.ros.settings import Settings

AT_ONCE = 4
"""Depth images that may arrive before the node gets round to any of them, and none is lost."""
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
                                                  reports=reports, type_hint="depth_transport", depth=AT_ONCE)

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
        return measured_depth_of(message, header, size, settings)
