# SPDX-License-Identifier: Apache-2.0
"""JPEG files: their size and whether every part is there, told from their markers; no pixel is decoded."""
from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from clipseg_ros.perception.exif import STORED, read_orientation

START = b"\xff\xd8\xff"
END = b"\xff\xd9"

_END, _SCAN, _RESTARTS, _APP1 = 0xD9, 0xDA, 0xDD, 0xE1
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_EXIF = b"Exif\0\0"
_COEFFICIENTS = 64
_NO_BIT = 0xFF


class Jpeg(NamedTuple):
    """width, height: in pixels, as stored; orientation: EXIF's, 1 to 8; end: where the end mark stands, None where
    nothing but that is missing; scans: in how many passes the picture comes.
    """

    width: int
    height: int
    orientation: int
    end: int | None
    scans: int


def read_jpeg(data: np.ndarray) -> Jpeg:
    """What the markers in (n,) uint8 `data`, a file that begins with `START`, say.

    What cannot be told from markers is whether the last piece of data is whole.

    Raises
    ------
    ValueError
        If it ends in its header or lacks a part of its data; the text is the end of a sentence.
    """
    frame, orientation, interval, end = None, STORED, 0, None
    markers, place = _Markers(data), len(START) - 1
    while (found := markers.after(place)) is not None:
        place, marker = found[0] + 2, found[1]
        if marker == _END:
            end = found[0]
            break
        if marker in _WITHOUT_LENGTH:
            continue
        body = _segment(data, place)
        place += 2 + len(body)
        if marker in _FRAMES:
            frame = _Frame(body, progressive=marker in _PROGRESSIVE)
        elif marker == _RESTARTS:
            interval = int.from_bytes(body[:2], "big")
        elif marker == _APP1 and body.startswith(_EXIF):
            orientation = read_orientation(body[len(_EXIF):])
        elif marker == _SCAN and frame is not None:
            place, restarts = markers.end_of_scan(place)
            frame.add_scan(body, restarts, interval)
    if frame is None:
        raise ValueError("is a JPEG file that ends in its header; it must be complete")
    frame.check(ended=end is not None)
    return Jpeg(frame.width, frame.height, orientation, end, frame.scans)


class _Markers:
    """Where a marker may stand: a byte 0xFF, and behind it what is not 0 and no further 0xFF."""

    def __init__(self, data: np.ndarray) -> None:
        places = np.flatnonzero(data[:-1] == 0xFF)
        codes = data[places + 1]
        real = (codes != 0) & (codes != 0xFF)
        self._places, self._codes = places[real], codes[real]
        self._others = np.flatnonzero((self._codes < 0xD0) | (self._codes > 0xD7))
        self._size = data.size

    def after(self, place: int) -> tuple[int, int] | None:
        """Place and number of the first marker from `place` on."""
        index = int(np.searchsorted(self._places, place))
        return None if index == len(self._places) else (int(self._places[index]), int(self._codes[index]))

    def end_of_scan(self, place: int) -> tuple[int, int]:
        """Where the data that begin at `place` end, and how many restarts are in them: the markers that may be."""
        first = int(np.searchsorted(self._places, place))
        index = int(np.searchsorted(self._others, first))
        last = int(self._others[index]) if index < len(self._others) else len(self._places)
        return (int(self._places[last]) if last < len(self._places) else self._size), last - first


class _Frame:
    """The picture in a file, and which of its coefficients have come, to which bit."""

    def __init__(self, body: bytes, *, progressive: bool) -> None:
        if len(body) < 9:
            raise ValueError("is a JPEG file that ends in its header; it must be complete")
        self._progressive = progressive
        self.scans = 0
        self.height, self.width = struct.unpack_from(">HH", body, 1)
        self._sampling = {number: (max(1, sampling >> 4), max(1, sampling & 15))
                          for number, sampling in zip(body[6::3], body[7::3])}
        self._lowest_bits = {number: bytearray([_NO_BIT] * _COEFFICIENTS) for number in self._sampling}
        self._cut = False

    def add_scan(self, head: bytes, restarts: int, interval: int) -> None:
        """Note what a scan brings; it must have a restart behind every `interval` blocks, for 0 none."""
        if len(head) < 6 or len(head) < 4 + 2 * head[0]:
            raise ValueError("is a JPEG file with a scan that is damaged; it must be complete")
        self.scans += 1
        numbers = [number for number in head[1:1 + 2 * head[0]:2] if number in self._sampling]
        first, last, bits = head[1 + 2 * head[0]:4 + 2 * head[0]] if self._progressive else (0, _COEFFICIENTS - 1, 0)
        last = min(last, _COEFFICIENTS - 1)
        for number in numbers:
            self._lowest_bits[number][first:last + 1] = bytes([bits & 15]) * (last + 1 - first)
        if interval and numbers:
            self._cut |= restarts < -(-self._blocks(numbers) // interval) - 1

    def check(self, *, ended: bool) -> None:
        """Raise ValueError where a restart or a component is missing, or, before an end mark, a bit of one."""
        # Behind the end mark nothing was to come: an encoder may leave out what is zero.
        missing = [bits[0] == _NO_BIT if ended else any(bits) for bits in self._lowest_bits.values()]
        if self._cut or any(missing):
            raise ValueError("is a JPEG file that ends in its data; it must be complete")

    def _blocks(self, numbers: list[int]) -> int:
        """How many units a scan of these components has."""
        across, down = (max(sides) for sides in zip(*self._sampling.values()))
        if len(numbers) > 1:
            return _parts(self.width, 8 * across) * _parts(self.height, 8 * down)
        own_across, own_down = self._sampling[numbers[0]]
        return _parts(_parts(self.width * own_across, across), 8) * _parts(_parts(self.height * own_down, down), 8)


def _parts(length: int, part: int) -> int:
    """How many parts cover a length."""
    return -(-length // part)


def _segment(data: np.ndarray, place: int) -> bytes:
    """The body of the segment whose length stands at `place`."""
    length = int.from_bytes(data[place:place + 2].tobytes(), "big")
    if length < 2 or place + length > data.size:
        raise ValueError("is a JPEG file that ends in its header; it must be complete")
    return data[place + 2:place + length].tobytes()
