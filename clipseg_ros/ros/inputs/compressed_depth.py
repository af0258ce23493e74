# SPDX-License-Identifier: Apache-2.0
"""Depth images as compressed_depth_image_transport publishes them, on topics that end in /compressedDepth.

The message's format is "16UC1; compressedDepth png": the encoding, the transport and the code of the pixels, png or
rvl, which older publishers leave out because they know png alone. The oldest give the encoding only. The data is

- 12 bytes, little-endian: an int32, 0 for inverse depth, and the two float32 numbers a and b;
- a PNG file with 16 bits of grey, or the uint32 width and height and RVL data.

The 16-bit numbers are the depths themselves for 16UC1, which does not use a and b. For 32FC1 such a number q stands for
a / (q - b) metres, and 0 for no measurement. Publishers round q down, so depths come out too large by up to
depth^2 / a (0.9 mm at 3 m by default); and they let q overflow where the depth is below about a / 65536 (0.15 m by
default), which cannot be told from a true depth here.
"""
from __future__ import annotations

import struct

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage

from clipseg_ros.perception.rvl import MOST_PIXELS, decode_rvl

_ENCODINGS = {"16UC1": "16UC1", "mono16": "16UC1", "32FC1": "32FC1"}
"""Encodings that are decoded, and the one in which they are returned."""
_TRANSPORT = "compressedDepth"
_HEADER = struct.Struct("<iff")
_INVERSE_DEPTH = 0
_RVL_SIZE = struct.Struct("<II")
_PNG_START = struct.Struct(">8sI4sIIBB")
"""Signature, length and name of the first chunk, width, height, bits of a sample, kind of colour."""
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY = 0


def compressed_to_depth(message: CompressedImage) -> tuple[np.ndarray, str]:
    """The depth image in a message of compressed_depth_image_transport, and its encoding.

    Returns
    -------
    depth : (H, W), in the unit of the encoding and with what that has for not measured (REP 118)
    encoding : "16UC1" (uint16, millimetres, 0) or "32FC1" (float32, metres, NaN)

    Raises
    ------
    ValueError
        If the message is one of another transport, has another encoding, or its data is incomplete or damaged.
    """
    encoding, code = _parse_format(message.format)
    data = np.frombuffer(message.data, np.uint8)
    if data.size <= _HEADER.size:
        raise ValueError(f"the depth image has {data.size} bytes of data; {_HEADER.size} bytes of header and the "
                         "compressed image must be there")
    pixels = (_decode_png if code == "png" else _decode_rvl)(data[_HEADER.size:])
    if encoding == "32FC1":
        pixels = _metres(pixels, *_HEADER.unpack_from(data))
    return pixels, encoding


def _parse_format(text: str) -> tuple[str, str]:
    """The encoding that is returned and the code, png or rvl."""
    encoding, _, details = text.partition(";")
    transport, *codes = details.split() or [_TRANSPORT]
    if transport != _TRANSPORT:
        raise ValueError(f"the depth image has the format {text[:60]!r}, of a transport made for pictures (JPEG would "
                         f"distort depths); subscribe to the topic that ends in /{_TRANSPORT} instead")
    if encoding.strip() not in _ENCODINGS:
        raise ValueError(f"the depth image has the format {text[:60]!r}; it must begin with one of "
                         f"{', '.join(_ENCODINGS)}, as on a topic that ends in /{_TRANSPORT}")
    if codes not in ([], ["png"], ["rvl"]):
        raise ValueError(f"the depth image has the format {text[:60]!r}; after {_TRANSPORT} must follow png, rvl or "
                         "nothing")
    return _ENCODINGS[encoding.strip()], (codes or ["png"])[0]


def _decode_rvl(data: np.ndarray) -> np.ndarray:
    """(H, W) uint16 of the size and the RVL data that follows it."""
    if data.size < _RVL_SIZE.size:
        raise ValueError(f"the depth image has {data.size} bytes of RVL data; its width and height alone must take "
                         f"{_RVL_SIZE.size}")
    width, height = _RVL_SIZE.unpack_from(data)
    return decode_rvl(data[_RVL_SIZE.size:], width=width, height=height)


def _decode_png(data: np.ndarray) -> np.ndarray:
    """(H, W) uint16 of a PNG file."""
    shape = _png_shape(data)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape != shape:
        raise ValueError(f"the depth image of {data.size} bytes cannot be decoded; it must be a complete PNG file of "
                         "one channel")
    return pixels


def _png_shape(data: np.ndarray) -> tuple[int, int]:
    """(height, width) from the beginning of a PNG file, before anything is allocated for it."""
    if data.size < _PNG_START.size or data[:len(_PNG_SIGNATURE)].tobytes() != _PNG_SIGNATURE:
        raise ValueError(f"the depth image has no PNG file after its header of {_HEADER.size} bytes; its format says "
                         "that there must be one")
    _, _, _, width, height, bits, colour = _PNG_START.unpack_from(data)
    if (bits, colour) != (16, _GREY):
        raise ValueError(f"the depth image is a PNG file with {bits} bits per sample and colour type {colour}; it must "
                         f"have 16 bits and colour type {_GREY}, grey")
    if not 0 < width * height <= MOST_PIXELS:
        raise ValueError(f"the depth image is said to be {width}x{height} pixels; both numbers must be positive, and "
                         f"at most {MOST_PIXELS} pixels are decoded")
    return height, width


def _metres(quantised: np.ndarray, kind: int, a: float, b: float) -> np.ndarray:
    """(H, W) float32 metres of (H, W) uint16 inverse depths, NaN where nothing was measured."""
    if kind != _INVERSE_DEPTH:
        raise ValueError(f"the depth image is quantised in a way with the number {kind}; it must be {_INVERSE_DEPTH}, "
                         "inverse depth")
    # b is 1 - a / (largest depth), so that 1 stands for the largest depth.
    if not (0 < a < np.inf and -np.inf < b <= 1):
        raise ValueError(f"the depth image is quantised with a = {a:g} and b = {b:g}; both must be finite, a positive "
                         "and b at most 1")
    inverse = quantised.astype(np.float32) - np.float32(b)
    metres = np.full_like(inverse, np.nan)
    with np.errstate(over="ignore"):
        return np.divide(np.float32(a), inverse, out=metres, where=(quantised > 0) & (inverse > 0))
