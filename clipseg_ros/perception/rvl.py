# SPDX-License-Identifier: Apache-2.0
"""RVL, a lossless code of depth images made of run lengths and differences of neighbours."""
from __future__ import annotations

import numpy as np

MOST_PIXELS = 1 << 25
"""Larger images than this are refused; it is a little more than 7680x4320."""

_MOST_NIBBLES = 10
"""Nibbles of the longest integer that is read, which suffice for 30 bits."""
_TOO_LARGE = 1 << 3 * _MOST_NIBBLES
"""Stands for every longer integer: no run and no difference of two pixels is that large."""


def decode_rvl(data: bytes | bytearray | memoryview | np.ndarray, *, width: int, height: int) -> np.ndarray:
    """(height, width) uint16 depth image of RVL `data`, in the unit of the encoder, 0 where nothing was measured.

    The code, from A. D. Wilson, "Fast Lossless Depth Image Compression" (ISS 2017): the image, row by row, is a
    number of zeros, a number of nonzeros and the nonzeros themselves, and so on in turn. A nonzero is stored as its
    difference from the nonzero before it (from 0 for the first), with the sign in the lowest bit. All integers come
    three bits at a time, the lowest first, in nibbles whose highest bit says that more follow; a little-endian
    32-bit word holds eight nibbles, the first in its highest bits. What follows the last pixel is ignored.

    Parameters
    ----------
    data : contiguous buffer of bytes
    width, height : of the image, in pixels; at most `MOST_PIXELS` in all

    Raises
    ------
    ValueError
        If the size is not one of an image, or `data` ends before the last pixel, has a run that leaves the image or
        a depth outside 1 to 65535.
    """
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise ValueError(f"the depth image is said to be {width}x{height} pixels; both numbers must be positive, and "
                         f"at most {MOST_PIXELS} pixels are decoded")
    pixels = width * height
    # A pixel takes 7 nibbles at most, those of its runs included: whatever lies behind them is not worth unpacking.
    values = _integers(np.frombuffer(data, np.uint8)[:4 * pixels + 8])
    heads, end = _runs(values, pixels)
    image = np.zeros(pixels, np.uint16)
    image[_measured(values, heads)] = _depths(values[:end], heads)
    return image.reshape(height, width)


def _integers(data: np.ndarray) -> np.ndarray:
    """(n,) int32: all integers in (m,) uint8 `data`, 0 to `_TOO_LARGE`; one that lacks its end is left out."""
    packed = data[:data.size // 4 * 4].reshape(-1, 4)[:, ::-1].ravel()
    nibbles = np.empty(2 * packed.size, np.uint8)
    nibbles[0::2] = packed >> 4
    nibbles[1::2] = packed & 15
    ends = np.flatnonzero(nibbles < 8)
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1] + 1
    nibbles &= 7
    values = nibbles[starts].astype(np.int32)
    longer = np.arange(ends.size)
    for place in range(1, _MOST_NIBBLES):
        longer = longer[ends[longer] - starts[longer] >= place]
        values[longer] |= nibbles[starts[longer] + place].astype(np.int32) << 3 * place
    values[ends - starts >= _MOST_NIBBLES] = _TOO_LARGE
    return values


def _runs(values: np.ndarray, pixels: int) -> tuple[np.ndarray, int]:
    """Where in `values` the runs begin, (k,) int, each with its two lengths; and where the last one ends."""
    heads = []
    position = covered = 0
    lengths = memoryview(values)
    while covered < pixels and position + 2 <= len(lengths):
        heads.append(position)
        covered += lengths[position] + lengths[position + 1]
        position += 2 + lengths[position + 1]
    if covered > pixels:
        raise ValueError(f"the depth image has a run of pixels that leaves the image: {covered} pixels are coded, and "
                         f"{pixels} must be")
    if covered < pixels or position > len(lengths):
        raise ValueError(f"the depth image is cut off: its data ends before the last of its {pixels} pixels; it must "
                         "be complete RVL data")
    return np.array(heads), position


def _measured(values: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """(pixels,) bool, True in the runs of nonzeros."""
    lengths = np.stack([values[heads], values[heads + 1]], axis=1).ravel()
    return np.repeat(np.tile([False, True], heads.size), lengths)


def _depths(values: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """The nonzeros of all runs one after the other, 1 to 65535."""
    stored = np.ones(values.size, bool)
    stored[heads] = stored[heads + 1] = False
    steps = values[stored]
    depths = np.cumsum((steps >> 1) ^ -(steps & 1), dtype=np.int64)
    if depths.size and not 1 <= depths.min() <= depths.max() <= 65535:
        raise ValueError(f"the depth image has depths from {depths.min()} to {depths.max()}; measured ones must be "
                         "within 1 and 65535")
    return depths
