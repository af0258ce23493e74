# SPDX-License-Identifier: Apache-2.0
"""One image message and what is known of the space that it shows."""
from __future__ import annotations

from functools import cached_property

import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from clipseg_ros.messages.images import compressed_to_rgb
from clipseg_ros.perception.findings import Space
from clipseg_ros.ros.inputs.images import image_to_rgb
from clipseg_ros.ros.settings import Settings


class Frame:
    """Converts its message when it is first looked at and then never again."""

    def __init__(self, message: Image | CompressedImage, *, mono16_range: str = "auto") -> None:
        self._message = message
        self._mono16_range = mono16_range

    @property
    def header(self) -> Header:
        """The image's own stamp and frame."""
        return self._message.header

    @cached_property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB. Raises ValueError where the message is faulty."""
        convert = image_to_rgb if isinstance(self._message, Image) else compressed_to_rgb
        return convert(self._message, mono16_range=self._mono16_range)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    @cached_property
    def fault(self) -> str:
        """What is wrong with the message, so that `rgb` raises; empty for nothing."""
        try:
            self.rgb
        except ValueError as error:
            return str(error)
        return ""

    def space(self, settings: Settings) -> Space:
        """What is known of the camera and of the depth at the time of the image: nothing, of an image alone."""
        return Space()
