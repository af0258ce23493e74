# SPDX-License-Identifier: Apache-2.0
"""Pictures and masks as files: RGB in memory whatever the file holds, and errors that name the file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def read_image(path: str | Path) -> np.ndarray:
    """Return the picture at `path`, (H, W, 3) uint8 RGB; OSError for no file, ValueError for no picture."""
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_mask(path: str | Path) -> np.ndarray:
    """Return the mask at `path`, (H, W) bool: True where a colour channel is nonzero (opacity is ignored)."""
    return read_grey(path) > 0


def read_grey(path: str | Path) -> np.ndarray:
    """Return (H, W) uint8 or uint16: the largest of the colour channels; ValueError for other pixels."""
    image = _decode(path, cv2.IMREAD_UNCHANGED)
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{path} has {image.dtype} pixels; a mask is an 8-bit PNG.")
    if image.ndim == 2:
        return image
    return image[:, :, : 1 if image.shape[2] == 2 else 3].max(axis=2)


def write_image(path: str | Path, image: np.ndarray, *, jpeg_quality: int | None = None) -> None:
    """Write (H, W, 3) uint8 RGB as JPEG of the given quality (1-100), else as PNG, making its folder."""
    options = [] if jpeg_quality is None else [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
    suffix = ".png" if jpeg_quality is None else ".jpg"
    _encode(Path(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), suffix, options)


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


def _decode(path: str | Path, flags: int) -> np.ndarray:
    data = np.frombuffer(Path(path).read_bytes(), dtype=np.uint8)
    try:
        image = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:
        image = None
    if image is None:
        raise ValueError(f"{path} is not a picture that can be read; PNG and JPEG can.")
    return image


def _encode(path: Path, array: np.ndarray, suffix: str, options: list[int]) -> None:
    data = cv2.imencode(suffix, array, options)[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
