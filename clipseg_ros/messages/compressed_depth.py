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

Depth on the topics of pictures is taken too where nothing is lost there: a PNG or TIFF file without a header, of the
format "16UC1; png compressed", "32FC1; tiff compressed", or png alone for millimetres.
"""
from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from clipseg_ros.messages.buffers import check_memory
from clipseg_ros.messages.compressed import DEPTH_HEADER, DEPTH_TRANSPORT, parse_format
from clipseg_ros.perception import png
from clipseg_ros.perception.encoded import decode
from clipseg_ros.perception.rvl import MOST_PIXELS, decode_rvl

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage

_ENCODINGS = {"16UC1": "16UC1", "mono16": "16UC1", "32FC1": "32FC1"}
"""Encodings that are decoded, and the one in which they are returned."""
_LOSSLESS = {"png": ("16UC1",), "tiff": ("16UC1", "32FC1")}
"""Codecs of pictures that keep depths, and of which encodings."""
_TYPES = {"16UC1": np.uint16, "32FC1": np.float32}
_HEADER = struct.Struct("<iff")
_INVERSE_DEPTH = 0
_RVL_SIZE = struct.Struct("<II")


def compressed_to_depth(message: CompressedImage) -> tuple[np.ndarray, str]:
    """The depth image in a message of compressed_depth_image_transport, or in a lossless picture, and its encoding.

    Returns
    -------
    depth : (H, W), in the unit of the encoding and with what that has for not measured (REP 118)
    encoding : "16UC1" (uint16, millimetres, 0) or "32FC1" (float32, metres, NaN)

    Raises
    ------
    ValueError
        If the message's codec distorts depths, it has another encoding, or its data is incomplete or damaged.
    """
    check_memory(message.data, "the depth image")
    data = np.frombuffer(message.data, np.uint8)
    encoding, code, is_picture = _parse(message.format, data)
    if is_picture:
        return _decode_picture(data, encoding), encoding
    if data.size <= _HEADER.size:
        raise ValueError(f"the depth image has {data.size} bytes of data; {_HEADER.size} bytes of header and the "
                         "compressed image must be there")
    # Publishers of their own forget the header, which millimetres do not need.
    bare = encoding == "16UC1" and code == "png" and _is_png(data)
    pixels = _decode_rvl(data[_HEADER.size:]) if code == "rvl" else _decode_png(data if bare else data[_HEADER.size:])
    if encoding == "32FC1":
        pixels = _metres(pixels, *_HEADER.unpack_from(data))
    return pixels, encoding


def _parse(text: str, data: np.ndarray) -> tuple[str, str, bool]:
    """The encoding that is returned, the codec, and whether the data are a picture, without the header of depth."""
    format_ = parse_format(text)
    known = f"the depth image has the format {text[:60]!r}; it must"
    if format_.codec in ("", "png") and not format_.encoding and _is_png(data):
        return "16UC1", "png", True
    encoding = _ENCODINGS.get(text.partition(";")[0].strip())
    if encoding is None:
        raise ValueError(f"{known} begin with one of {', '.join(_ENCODINGS)}, as on a topic that ends in "
                         f"/{DEPTH_TRANSPORT}")
    if format_.transport == "compressed" and encoding in _LOSSLESS.get(format_.codec, ()):
        behind = data[DEPTH_HEADER:]
        return encoding, format_.codec, not _is_png(behind)
    if format_.transport != DEPTH_TRANSPORT and text.partition(";")[2].strip():
        reason = "JPEG distorts depths" if format_.codec in ("jpeg", "jpg") else f"{encoding} is not kept in it"
        raise ValueError(f"the depth image has the format {text[:60]!r}, and {reason}; subscribe to the topic that "
                         f"ends in /{DEPTH_TRANSPORT} instead, or have the publisher compress 16UC1 as png")
    if format_.transport and format_.codec not in ("", "png", "rvl"):
        raise ValueError(f"the depth image has the format {text[:60]!r}; after {DEPTH_TRANSPORT} must follow png, rvl "
                         "or nothing")
    return encoding, format_.codec if format_.codec == "rvl" else "png", False


def _is_png(data: np.ndarray) -> bool:
    return data[:len(png.START)].tobytes() == png.START


def _decode_picture(data: np.ndarray, encoding: str) -> np.ndarray:
    """(H, W) of a file, of the type of the encoding."""
    if _is_png(data):
        return _decode_png(data)
    try:
        pixels = decode(data, most=MOST_PIXELS, only_measured=True).pixels
    except ValueError as error:
        raise ValueError(f"the depth image of {data.size} bytes {error}") from None
    if pixels.ndim != 2 or pixels.dtype != _TYPES[encoding]:
        raise ValueError(f"the depth image is a file of {pixels.dtype} numbers, {(pixels.shape[2:] or (1,))[0]} a "
                         f"pixel; for {encoding} each pixel must be one {np.dtype(_TYPES[encoding])}")
    return pixels


def _decode_rvl(data: np.ndarray) -> np.ndarray:
    """(H, W) uint16 of the size and the RVL data that follows it."""
    if data.size < _RVL_SIZE.size:
        raise ValueError(f"the depth image has {data.size} bytes of RVL data; its width and height alone must take "
                         f"{_RVL_SIZE.size}")
    width, height = _RVL_SIZE.unpack_from(data)
    return decode_rvl(data[_RVL_SIZE.size:], width=width, height=height)


def _decode_png(data: np.ndarray) -> np.ndarray:
    """(H, W) uint16 of a PNG file."""
    if not _is_png(data):
        raise ValueError(f"the depth image has no PNG file after its header of {_HEADER.size} bytes; its format says "
                         "that there must be one")
    try:
        header = png.read_png(memoryview(data))
        if (header.bits, header.colour) != (16, png.GREY):
            raise ValueError(f"is a PNG file with {header.bits} bits per sample and colour type {header.colour}; it "
                             f"must have 16 bits and colour type {png.GREY}, grey")
        return decode(data, most=MOST_PIXELS).pixels
    except ValueError as error:
        raise ValueError(f"the depth image of {data.size} bytes {error}") from None


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
