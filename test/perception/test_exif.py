# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from pictures import PICTURE, file_of, with_orientation

from clipseg_ros.perception.encoded import decode
from clipseg_ros.perception.exif import read_orientation, upright


def structure(*entries: tuple[int, int, int, int], order: str = "<", start: bytes = b"II*\0", at: int = 8) -> bytes:
    """TIFF data with one directory of (tag, kind, count, value)."""
    body = b"".join(struct.pack(f"{order}HHIHH", *entry, 0) for entry in entries)
    return start + struct.pack(f"{order}I", at) + bytes(at - 8) + struct.pack(f"{order}H", len(entries)) + body


@pytest.mark.parametrize(("data", "orientation"), [
    (structure((0x0112, 3, 1, 6)), 6),
    (structure((0x0112, 3, 1, 6), order=">", start=b"MM\0*"), 6),
    (structure((0x010F, 2, 4, 65), (0x0112, 3, 1, 3), at=20), 3),
    (structure((0x010F, 2, 4, 65)), 1),
    (structure((0x0112, 3, 1, 0)), 1),
    (structure((0x0112, 3, 1, 9)), 1),
    (structure((0x0112, 4, 1, 6)), 1),
    (structure((0x0112, 3, 1, 6))[:-3], 1),
    (structure((0x0112, 3, 1, 6))[:9], 1),
    (b"II*\0\xff\xff\xff\xff", 1),
    (b"II*\0", 1),
    (b"", 1),
    (b"something else", 1),
])
def test_orientation(data, orientation):
    assert read_orientation(data) == orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("byte_order", "<>")
def test_opencv_turns_a_jpeg_in_the_same_way(orientation, byte_order):
    data = np.frombuffer(with_orientation(file_of(PICTURE), orientation, byte_order=byte_order), np.uint8)
    decoded = decode(data)
    assert decoded.orientation == orientation
    assert np.array_equal(decoded.pixels, cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION))
    assert np.array_equal(upright(decoded.pixels, orientation), cv2.imdecode(data, cv2.IMREAD_COLOR))
