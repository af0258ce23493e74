# SPDX-License-Identifier: Apache-2.0
"""Arrays to image messages, in the messages' own memory."""
from __future__ import annotations

import sys

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header


def to_image(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """The message of an (H, W) or (H, W, channels) array, whose type must be the one of `encoding`."""
    return fill_image(Image(), pixels, encoding, header)


def fill_image(message: Image, pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """Make of `message` what `to_image` returns, in its own memory if that has the right size."""
    pixels = np.ascontiguousarray(pixels)
    message.header, message.encoding = header, encoding
    message.is_bigendian = int(sys.byteorder == "big")
    message.height, message.width = pixels.shape[:2]
    message.step = message.width * pixels.itemsize * (pixels.shape[2:] or (1,))[0]
    raw, data = pixels.reshape(-1).view(np.uint8), message.data
    if raw.size and len(data) == raw.size:
        np.frombuffer(data, np.uint8)[:] = raw
    else:
        # In place, since some versions of rclpy copy what is assigned.
        del data[:]
        data.frombytes(raw)
    return message
