# SPDX-License-Identifier: Apache-2.0
"""Depth messages in metres, for the picture that they belong to."""
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from clipseg_ros.messages.compressed_depth import compressed_to_depth
from clipseg_ros.messages.headers import same_frame
from clipseg_ros.messages.images import image_to_depth
from clipseg_ros.perception.depth import depth_in_metres, fit_to, looks_swapped, why_unmeasured

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image
    from std_msgs.msg import Header


class DepthSettings(Protocol):
    """min_depth, max_depth: readings outside are faulty, in metres; assume_registered: whether depth is that of the
    picture's pixels although its frame differs.
    """

    min_depth: float
    max_depth: float
    assume_registered: bool


def depth_of(message: Image | CompressedImage, image: Header, size: tuple[int, int],
             settings: DepthSettings) -> np.ndarray:
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
    if _is_raw(message) and looks_swapped(depth, encoding, **limits):
        flag = int(message.is_bigendian)
        raise ValueError(f"the depth image looks byte-swapped (in the other order a reading is {_middle(depth):g}): "
                         f"its is_bigendian is {flag}, and {int(not flag)} would be right")
    return fit_to(depth_in_metres(depth, encoding, **limits), size)


def measured_depth_of(message: Image | CompressedImage, image: Header, size: tuple[int, int],
                      settings: DepthSettings) -> np.ndarray:
    """As `depth_of`, but a depth image without any reading in the range of the settings is a ValueError too."""
    depth = depth_of(message, image, size, settings)
    if np.isnan(depth).all():
        raise ValueError(why_unmeasured(*_raw(message), min_depth=settings.min_depth, max_depth=settings.max_depth))
    return depth


def _raw(message: Image | CompressedImage) -> tuple[np.ndarray, str]:
    """(h, w) uint16 or float32 as it was sent, and its encoding. ValueError where the message is faulty."""
    return (image_to_depth(message), message.encoding) if _is_raw(message) else compressed_to_depth(message)


def _is_raw(message: Image | CompressedImage) -> bool:
    return hasattr(message, "encoding")


def _middle(depth: np.ndarray) -> float:
    """The median of the readings in the other byte order."""
    swapped = depth.byteswap()
    return float(np.median(swapped[np.isfinite(swapped) & (swapped != 0)]))


def _check_registered(depth: Header, image: Header) -> None:
    """Raise ValueError where the frames of a depth image and of a picture are known and differ."""
    if not same_frame(depth, image):
        raise ValueError(f"the depth image is in the frame {depth.frame_id}, the image in {image.frame_id}; register "
                         "it to the colour camera (the driver's align_depth, or depth_image_proc), or set "
                         "assume_registered if it is")
