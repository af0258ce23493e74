# SPDX-License-Identifier: Apache-2.0
"""Pictures and masks as files: RGB in memory whatever the file holds, and errors that name the file.

EXIF turns a picture and a mask alike, each by its own orientation: both are read as every viewer shows them, so a mask
that was painted over the picture lies on it, whichever of the two was stored turned.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from clipseg_ros.clipseg.whole_files import replacing
from clipseg_ros.perception.encoded import Decoded, decode, opaque, to_rgb
from clipseg_ros.perception.exif import upright


def read_image(path: str | Path, *, as_stored: bool = False) -> np.ndarray:
    """Return the picture at `path`, (H, W, 3) uint8 RGB, upright, or `as_stored` for what counts pixels of the file.

    16 bits become 8 by the fewest of 10, 12, 14 and 16 bits that hold them. Raises OSError for no file, ValueError for
    no picture, and for one that is cut off or too large.
    """
    pixels, orientation = _decode(path)
    try:
        rgb = to_rgb(pixels)
    except ValueError as error:
        raise ValueError(f"{path} {error}.") from None
    return rgb if as_stored else upright(rgb, orientation)


def read_mask(path: str | Path) -> np.ndarray:
    """Return the mask at `path`, (H, W) bool, upright; errors as `read_grey`.

    Of a cut-out it is what is opaque (see `read_cut_out`), of any other file where a colour channel is nonzero.
    """
    pixels, orientation = _decode(path)
    opacity = _opacity(pixels)
    return upright(_grey(path, pixels) > 0 if opacity is None else opaque(opacity), orientation)


def read_cut_out(path: str | Path) -> np.ndarray | None:
    """Return the mask that the transparency of the picture at `path` is, (H, W) bool, upright; errors as `read_image`.

    True where it is more than half as opaque as anywhere; None for a file without transparency, and for one that is
    equally opaque everywhere.
    """
    pixels, orientation = _decode(path)
    opacity = _opacity(pixels)
    return None if opacity is None else upright(opaque(opacity), orientation)


def read_grey(path: str | Path) -> np.ndarray:
    """Return (H, W) uint8 or uint16, upright; ValueError for other pixels.

    The opacity of a cut-out, where that is not the same everywhere, else the largest of the colour channels.
    """
    pixels, orientation = _decode(path)
    opacity = _opacity(pixels)
    return upright(_grey(path, pixels) if opacity is None else opacity, orientation)


def write_image(path: str | Path, image: np.ndarray, *, jpeg_quality: int | None = None) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG of the given quality (1-100), else that or RGBA as PNG, making its folder."""
    options = [] if jpeg_quality is None else [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
    suffix = ".png" if jpeg_quality is None else ".jpg"
    order = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _encode(Path(path), cv2.cvtColor(image, order), suffix, options)


def write_png(path: str | Path, array: np.ndarray) -> None:
    """Write (H, W) uint8, bool (as 0/255) or uint16, or (H, W, 3) uint8 RGB as PNG, making its folder."""
    array = np.asarray(array)
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    grey = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    colour = array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8
    if not (grey or colour) or not array.size:
        raise ValueError(
            f"Only (H, W) uint8, bool or uint16 and (H, W, 3) uint8 can be stored as PNG here; "
            f"got {array.shape} {array.dtype}."
        )
    _encode(Path(path), cv2.cvtColor(array, cv2.COLOR_RGB2BGR) if colour else array, ".png", [])


def _decode(path: str | Path) -> Decoded:
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path} is a pipe or a device; a picture must be a file.")
    try:
        return decode(np.frombuffer(path.read_bytes(), dtype=np.uint8))
    except ValueError as error:
        raise ValueError(f"{path} {error}.") from None


def _opacity(pixels: np.ndarray) -> np.ndarray | None:
    """(H, W) opacity of decoded pixels; None where it is the same everywhere or there is none."""
    if pixels.ndim == 2 or pixels.shape[2] not in (2, 4) or pixels.dtype not in (np.uint8, np.uint16):
        return None
    opacity = pixels[..., -1]
    return None if opaque(opacity) is None else opacity


def _grey(path: str | Path, pixels: np.ndarray) -> np.ndarray:
    """(H, W): the largest of the colour channels of decoded pixels."""
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{path} has {pixels.dtype} pixels; a mask is an 8-bit PNG.")
    return pixels if pixels.ndim == 2 else pixels[..., : 1 if pixels.shape[2] == 2 else 3].max(axis=2)


def _encode(path: Path, array: np.ndarray, suffix: str, options: list[int]) -> None:
    data = cv2.imencode(suffix, array, options)[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, lasting=False) as part:
        part.write_bytes(data.tobytes())
