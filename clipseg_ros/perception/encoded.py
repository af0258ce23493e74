# SPDX-License-Identifier: Apache-2.0
"""Pictures as JPEG, PNG and other files in memory: measured before memory is taken, and refused where they are cut.

OpenCV decodes, but its versions differ in what they make of a file that is cut: some return a picture that is grey
from there on, others refuse one that lacks nothing but its end mark. So completeness is judged here.
"""
from __future__ import annotations

import struct
from typing import NamedTuple

import cv2
import numpy as np

from clipseg_ros.perception import jpeg, png
from clipseg_ros.perception.exif import STORED
from clipseg_ros.perception.sixteen_bits import to_eight_bits, white_level

MOST_PIXELS = 100_000_000
"""Larger pictures are refused."""

_NO_PICTURE = "is not a picture that can be read; PNG and JPEG can"
_FILLER = bytes([0xFA, 0x5A, 0xC3, 0x96, 0x6D, 0xB4, 0x1E, 0xE7] * 8)
"""Stands for data of a scan: bits that no zeros and no earlier data are mistaken for."""
_GREY = 128
"""What libjpeg fills blocks with for which there are no data: in a picture of one scan all up to the last one."""
_TIFF_STARTS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_NUMBERS = {1: "B", 3: "H", 4: "I"}


class Decoded(NamedTuple):
    """pixels: as stored, (H, W) or (H, W, channels) in OpenCV's order; orientation: EXIF's, 1 to 8, as far as known."""

    pixels: np.ndarray
    orientation: int


def decode(data: np.ndarray, *, most: int = MOST_PIXELS, only_measured: bool = False) -> Decoded:
    """The picture in (n,) uint8 `data`, its bits and channels as they are, not turned.

    Parameters
    ----------
    most : pixels that are decoded
    only_measured : refuse what is no JPEG, PNG, TIFF, WebP or BMP file, whose size is known before it is decoded,
        instead of leaving it to OpenCV, which has a limit of its own

    Raises
    ------
    ValueError
        If it is cut off, too large or cannot be decoded; the text is the end of a sentence that begins with its name.
        Of a JPEG file of one scan the last block may be incomplete: 16x16 pixels.
    """
    view = memoryview(data)
    start = bytes(view[:32])
    if start.startswith(jpeg.START):
        header = jpeg.read_jpeg(data)
        _check_size("JPEG file", header.width, header.height, most)
        return _decode_jpeg(data, header)
    if start.startswith(png.START):
        header = png.read_png(view)
        _check_size("PNG file", header.width, header.height, most)
        if header.end is None:
            data = _with(data[:png.after_last_chunk(view)], png.END)
        return Decoded(_pixels(data), header.orientation)
    size = _other_size(view)
    if size is not None:
        _check_size("picture", *size, most)
    elif only_measured:
        raise ValueError(_NO_PICTURE)
    return Decoded(_pixels(data, _NO_PICTURE), STORED)


def to_rgb(pixels: np.ndarray, mono16_range: str = "auto", *, bayer: int | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB of decoded pixels; what is transparent keeps its colour.

    Parameters
    ----------
    pixels : (H, W) or (H, W, 1 to 4) uint8 or uint16 in OpenCV's order
    mono16_range : one of `sixteen_bits.RANGES`, for 16 bits
    bayer : OpenCV's code that makes RGB of a single channel, where that is no grey

    Raises
    ------
    ValueError
        If the pixels are of another type; the text is the end of a sentence.
    """
    if pixels.dtype == np.uint16:
        pixels = to_eight_bits(pixels, white_level(pixels, mono16_range))
    if pixels.dtype != np.uint8:
        raise ValueError(f"has {pixels.dtype} pixels; they must have 8 or 16 bits and no sign")
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels <= 2:
        grey = np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], channels)[..., 0])
        return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB if bayer is None else bayer)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGB)


def opaque(alpha: np.ndarray) -> np.ndarray | None:
    """(H, W) bool of (H, W) opacity: True where it is more than half of the largest; None where it is all the same."""
    largest = alpha.max(initial=0)
    return alpha > largest // 2 if alpha.min(initial=largest) < largest else None


def _check_size(kind: str, width: int, height: int, most: int) -> None:
    """Raise ValueError, with the end of a sentence, for a size that no picture can have here."""
    if not (width > 0 and height > 0 and width * height <= most):
        raise ValueError(f"is a {kind} of {width}x{height} pixels; both numbers must be positive, and at most {most} "
                         "pixels are decoded")


def _decode_jpeg(data: np.ndarray, header: jpeg.Jpeg) -> Decoded:
    body = data[:header.end]
    while body[-1] == 0xFF:  # half of an end mark, or what fills the place before a whole one
        body = body[:-1]
    pixels = _pixels(_with(body, jpeg.END) if header.end is None else data)
    suspicious = header.scans > 1 or (pixels[-1, -1] == _GREY).all()
    # Where data are missing, others in their place make another picture; where none are, nobody looks at them.
    if suspicious and not np.array_equal(pixels, _pixels(_with(body, _FILLER + jpeg.END))):
        raise ValueError("is a JPEG file that ends in its data; it must be complete")
    return Decoded(pixels, header.orientation)


def _pixels(data: np.ndarray, fault: str = "cannot be decoded; it must be a complete PNG or JPEG file") -> np.ndarray:
    """What OpenCV makes of a complete file; ValueError of `fault` for nothing."""
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ValueError(fault)
    return pixels


def _with(data: np.ndarray, end: bytes) -> np.ndarray:
    """The file with another end."""
    return np.concatenate([data, np.frombuffer(end, np.uint8)])


def _other_size(data: memoryview) -> tuple[int, int] | None:
    """Width and height of a TIFF, WebP or BMP file; None for other files."""
    start = bytes(data[:32])
    try:
        if start[:4] in _TIFF_STARTS:
            return _tiff_size(data, _TIFF_STARTS[start[:4]])
        if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
            return _webp_size(start)
        if start[:2] == b"BM":
            width, height = struct.unpack_from("<ii", start, 18)
            return width, abs(height)
    except struct.error:
        raise ValueError("is a picture that ends in its header; it must be complete") from None
    return None


def _webp_size(start: bytes) -> tuple[int, int] | None:
    """Width and height in one of the three kinds of WebP headers."""
    if start[12:16] == b"VP8X":
        return (1 + int.from_bytes(start[24:27], "little"), 1 + int.from_bytes(start[27:30], "little"))
    if start[12:16] == b"VP8L":
        bits, = struct.unpack_from("<I", start, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if start[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", start, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _tiff_size(data: memoryview, order: str) -> tuple[int, int] | None:
    """Width and height in the first directory of a TIFF file."""
    directory, = struct.unpack_from(f"{order}I", data, 4)
    entries, = struct.unpack_from(f"{order}H", data, directory)
    found = {}
    for place in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, kind, _ = struct.unpack_from(f"{order}HHI", data, place)
        if tag in (256, 257) and kind in _TIFF_NUMBERS:
            found[tag], = struct.unpack_from(order + _TIFF_NUMBERS[kind], data, place + 8)
    return (found[256], found[257]) if len(found) == 2 else None
