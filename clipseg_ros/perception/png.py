# SPDX-License-Identifier: Apache-2.0
"""PNG files: their size and where they end, told from their chunks; no pixel is decoded."""
from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from clipseg_ros.perception.exif import STORED, read_orientation

START = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
GREY = 0
"""The colour type of a single channel."""

_CHUNK = struct.Struct(">I4s")
_CHECKSUM = 4
_HEADER = struct.Struct(">IIBB")
_PIECE = 1 << 20


class Png(NamedTuple):
    """width, height: in pixels, as stored; orientation: EXIF's, 1 to 8; end: where the end mark stands, None where it
    is missing although the data are complete; bits: of a sample; colour: PNG's number of the kind of colour.
    """

    width: int
    height: int
    orientation: int
    end: int | None
    bits: int
    colour: int


def read_png(data: memoryview) -> Png:
    """What the chunks of a file that begins with `START` say.

    Raises
    ------
    ValueError
        If it ends in its header or in its data; the text is the end of a sentence.
    """
    header, orientation, end = None, STORED, None
    pieces = []
    for place, name, body in _chunks(data):
        if header is None:
            if name != b"IHDR" or len(body) < _HEADER.size:
                break
            header = _HEADER.unpack_from(body)
        elif name == b"IDAT":
            pieces.append(body)
        elif name == b"eXIf":
            orientation = read_orientation(bytes(body))
        elif name == b"IEND":
            end = place
    if header is None:
        raise ValueError("is a PNG file that ends in its header; it must be complete")
    if end is None and not _is_whole(pieces, header):
        raise ValueError("is a PNG file that ends in its data; it must be complete")
    return Png(*header[:2], orientation, end, *header[2:])


def after_last_chunk(data: memoryview) -> int:
    """Where a file without an end mark can be given one: behind its last complete chunk."""
    return max((place + _CHUNK.size + len(body) + _CHECKSUM for place, _, body in _chunks(data)), default=len(START))


def _chunks(data: memoryview) -> Iterator[tuple[int, bytes, memoryview]]:
    """Place, name and body of each complete chunk, up to the end mark."""
    place, name = len(START), b""
    while name != b"IEND" and place + _CHUNK.size + _CHECKSUM <= len(data):
        length, name = _CHUNK.unpack_from(data, place)
        end = place + _CHUNK.size + length + _CHECKSUM
        if end > len(data):
            return
        yield place, name, data[place + _CHUNK.size:end - _CHECKSUM]
        place = end


def _is_whole(pieces: list[memoryview], header: tuple[int, int, int, int]) -> bool:
    """Whether the compressed pixels come to their end; no more is unpacked than a picture of that size can have."""
    stream, left = zlib.decompressobj(), header[1] * (1 + 8 * header[0])
    try:
        for piece in pieces:
            while len(piece) and not stream.eof and left > 0:
                left -= len(stream.decompress(piece, _PIECE))
                piece = stream.unconsumed_tail
    except zlib.error:
        return False
    return stream.eof
