# SPDX-License-Identifier: Apache-2.0
"""The orientation that EXIF data give a picture: how the stored pixels must be turned to stand upright."""
from __future__ import annotations

import struct

import numpy as np

STORED = 1
"""The orientation of a picture that is stored upright."""

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY_SIZE = 12
_ORIENTATION, _SHORT = 0x0112, 3


def read_orientation(data: bytes) -> int:
    """1 to 8, as EXIF numbers the orientations, of `data` in the TIFF structure; 1 where they do not tell."""
    order = _BYTE_ORDERS.get(data[:4])
    if order is None or len(data) < 8:
        return STORED
    directory, = struct.unpack_from(f"{order}I", data, 4)
    if directory + 2 > len(data):
        return STORED
    entries, = struct.unpack_from(f"{order}H", data, directory)
    room = (len(data) - directory - 2) // _ENTRY_SIZE
    for index in range(min(entries, room)):
        tag, kind, count, value = struct.unpack_from(f"{order}HHIH", data, directory + 2 + index * _ENTRY_SIZE)
        if (tag, kind, count) == (_ORIENTATION, _SHORT, 1):
            return value if 1 <= value <= 8 else STORED
    return STORED


def upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    """The picture, (H, W) or (H, W, channels), as it must be looked at: (W, H, ...) for the orientations 5 to 8."""
    if orientation >= 5:
        picture = picture.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)
