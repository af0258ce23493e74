# SPDX-License-Identifier: Apache-2.0
"""What a CompressedImage says about itself, and its pixels.

image_transport documents the format as "ENCODING; CODEC compressed [PIXELS]", with the encoding of the raw image and
jpeg, png or tiff, and as "ENCODING; compressedDepth CODEC"; any other text, which drivers write, stands for a picture
in colours or grey. The codec is not believed: files say themselves what they are. Nor are PIXELS: publishers that
write rgb8 there send ordinary files as well.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clipseg_ros.messages.buffers import check_memory
from clipseg_ros.perception import png
from clipseg_ros.perception.encoded import decode

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage

DEPTH_TRANSPORT = "compressedDepth"
DEPTH_HEADER = 12
"""Bytes in front of the file on a topic of `DEPTH_TRANSPORT`."""

_ONLY_DEPTH = ("32FC1", "64FC1")
_DEPTH_ALONE = ("16UC1", *_ONLY_DEPTH)
"""Formats of the oldest publishers of `DEPTH_TRANSPORT`, which write nothing else."""


class Format(NamedTuple):
    """encoding: of the raw image; transport: "compressed" or `DEPTH_TRANSPORT`; codec: png, jpeg, ..., in lower case.

    Each is empty where the text does not tell it.
    """

    encoding: str
    transport: str
    codec: str


def parse_format(text: str) -> Format:
    """The parts of a message's format; no text is refused."""
    encoding, semicolon, details = text.partition(";")
    words = details.split()
    if not semicolon:
        return Format("", "", text.strip().lstrip(".").lower())
    if words[:1] == [DEPTH_TRANSPORT]:
        return Format(encoding.strip(), DEPTH_TRANSPORT, " ".join(words[1:]).lower())
    if len(words) > 1 and words[1].lower() == "compressed":
        return Format(encoding.strip(), "compressed", words[0].lower())
    return Format(encoding.strip(), "", "")


def decode_picture(message: CompressedImage) -> tuple[np.ndarray, str]:
    """The pixels of a picture, and the encoding of the raw image, empty where it is not told.

    Returns
    -------
    pixels : (H, W) or (H, W, channels) in the order and with the bits of the file as OpenCV reads it, not turned
    encoding : as in the message

    Raises
    ------
    ValueError
        If it is depth, incomplete, too large or no picture.
    """
    format_ = parse_format(message.format)
    check_memory(message.data, "the compressed image")
    data = np.frombuffer(message.data, np.uint8)
    name = f"the compressed image ({data.size} bytes, format {message.format[:40]!r})"
    if is_depth(message):
        raise ValueError(f"{name} is depth; remap image/compressed to the topic of the picture, and "
                         f"depth/{DEPTH_TRANSPORT} (with depth_transport:=compressed) to this one")
    try:
        return decode(data, only_measured=True).pixels, format_.encoding
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def is_depth(message: CompressedImage) -> bool:
    """Whether a message is made for `DEPTH_TRANSPORT`, or has depths that no picture has."""
    format_ = parse_format(message.format)
    behind_header = bytes(message.data[DEPTH_HEADER:DEPTH_HEADER + len(png.START)])
    return (format_.transport == DEPTH_TRANSPORT or format_.encoding in _ONLY_DEPTH
            or message.format.strip(" ;") in _DEPTH_ALONE or behind_header == png.START)
