# SPDX-License-Identifier: Apache-2.0
"""Image messages to arrays. OpenCV converts the colours."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from clipseg_ros.messages.buffers import check_memory
from clipseg_ros.messages.compressed import decode_picture
from clipseg_ros.perception.encoded import opaque, to_rgb
from clipseg_ros.perception.sixteen_bits import FULL, to_eight_bits, white_level

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image


class _Chroma(NamedTuple):
    """The rows of colour that follow the rows of luma."""

    rows_per_two: int
    """For every two rows of the picture."""
    length: tuple[int, int] = (1, 1)
    """Numerator and denominator of a row's length and of its step, in those of luma."""


class _Layout(NamedTuple):
    """How an encoding lies in memory, and what turns it into RGB (None: it is RGB, or no colour)."""

    channels: int
    to_rgb: int | Callable[[np.ndarray], np.ndarray] | None
    dtype: str = "u1"
    even: tuple[int, int] = (1, 1)
    """The height and width must be multiples of these."""
    chroma: _Chroma | None = None

    def row(self, width: int) -> int:
        """Bytes of a row of the picture."""
        return width * self.channels * np.dtype(self.dtype).itemsize


def _from_planes_of_halves(rows: np.ndarray) -> np.ndarray:
    """RGB of (2 H, W) uint8: luma, then the two chroma planes of (H, W / 2) each."""
    height, width = len(rows) // 2, rows.shape[1]
    packed = np.empty((height, width, 2), np.uint8)
    packed[..., 1] = rows[:height]
    packed[:, 0::2, 0], packed[:, 1::2, 0] = rows[height:].reshape(2, height, width // 2)
    return cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_UYVY)


def _from_whole_pairs(rows: np.ndarray) -> np.ndarray:
    """RGB of (3 H, W) uint8: luma, then pairs of chroma for every pixel."""
    height, width = len(rows) // 3, rows.shape[1]
    # OpenCV knows no such layout: each pixel is shown to it twice, as the two that share chroma in UYVY.
    packed = np.empty((height, 2 * width, 2), np.uint8)
    packed[..., 1] = np.repeat(rows[:height], 2, axis=1)
    packed[..., 0] = rows[height:].reshape(height, 2 * width)
    return np.ascontiguousarray(cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_UYVY)[:, ::2])


# OpenCV names a Bayer pattern after its second row and column, ROS after the first.
_BAYER = {"rggb": cv2.COLOR_BayerBG2RGB, "bggr": cv2.COLOR_BayerRG2RGB,
          "gbrg": cv2.COLOR_BayerGR2RGB, "grbg": cv2.COLOR_BayerGB2RGB}
_HALF_PLANES = _Chroma(2, (1, 2))
_RGB = {
    "rgb8": _Layout(3, None),
    "bgr8": _Layout(3, cv2.COLOR_BGR2RGB),
    "8UC3": _Layout(3, cv2.COLOR_BGR2RGB),
    "rgba8": _Layout(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Layout(4, cv2.COLOR_BGRA2RGB),
    "8UC4": _Layout(4, cv2.COLOR_BGRA2RGB),
    "mono8": _Layout(1, cv2.COLOR_GRAY2RGB),
    "8UC1": _Layout(1, cv2.COLOR_GRAY2RGB),
    "mono16": _Layout(1, cv2.COLOR_GRAY2RGB, "u2"),
    "16UC1": _Layout(1, cv2.COLOR_GRAY2RGB, "u2"),
    "rgb16": _Layout(3, None, "u2"),
    "bgr16": _Layout(3, cv2.COLOR_BGR2RGB, "u2"),
    "16UC3": _Layout(3, cv2.COLOR_BGR2RGB, "u2"),
    "rgba16": _Layout(4, cv2.COLOR_RGBA2RGB, "u2"),
    "bgra16": _Layout(4, cv2.COLOR_BGRA2RGB, "u2"),
    "16UC4": _Layout(4, cv2.COLOR_BGRA2RGB, "u2"),
    **{f"bayer_{pattern}8": _Layout(1, code, even=(2, 2)) for pattern, code in _BAYER.items()},
    **{f"bayer_{pattern}16": _Layout(1, code, "u2", even=(2, 2)) for pattern, code in _BAYER.items()},
    "yuv422": _Layout(2, cv2.COLOR_YUV2RGB_UYVY, even=(1, 2)),
    "uyvy": _Layout(2, cv2.COLOR_YUV2RGB_UYVY, even=(1, 2)),
    "yuv422_yuy2": _Layout(2, cv2.COLOR_YUV2RGB_YUYV, even=(1, 2)),
    "yuyv": _Layout(2, cv2.COLOR_YUV2RGB_YUYV, even=(1, 2)),
    "nv12": _Layout(1, cv2.COLOR_YUV2RGB_NV12, even=(2, 2), chroma=_Chroma(1)),
    "nv21": _Layout(1, cv2.COLOR_YUV2RGB_NV21, even=(2, 2), chroma=_Chroma(1)),
    "nv24": _Layout(1, _from_whole_pairs, chroma=_Chroma(2, (2, 1))),
    "yuv420": _Layout(1, cv2.COLOR_YUV2RGB_I420, even=(2, 2), chroma=_HALF_PLANES),
    "i420": _Layout(1, cv2.COLOR_YUV2RGB_I420, even=(2, 2), chroma=_HALF_PLANES),
    "yv12": _Layout(1, cv2.COLOR_YUV2RGB_YV12, even=(2, 2), chroma=_HALF_PLANES),
    "yuv422p": _Layout(1, _from_planes_of_halves, even=(1, 2), chroma=_Chroma(4, (1, 2))),
}
_WITH_ALPHA = ("rgba8", "bgra8", "8UC4", "rgba16", "bgra16", "16UC4")
_MASKS = {"mono8": _Layout(1, None), "8UC1": _Layout(1, None),
          "mono16": _Layout(1, None, "u2"), "16UC1": _Layout(1, None, "u2")}
_DEPTHS = {"16UC1": _Layout(1, None, "u2"), "mono16": _Layout(1, None, "u2"), "32FC1": _Layout(1, None, "f4")}

_ALIGNMENT = 1 << 16
"""Drivers fill the data up to whole pages; so many bytes more than the picture needs are no sign of a mistake."""

COLOUR_ENCODINGS = tuple(_RGB)
"""The encodings that `image_to_rgb` takes."""


def image_to_rgb(message: Image, *, mono16_range: str = "auto",
                 sixteen_bits: Callable[[Image, str, np.ndarray], np.ndarray | None] | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a camera's image; for rgb8 without padding it shares the message's memory.

    8UC3, 8UC4, 16UC3 and 16UC4 are taken as BGR(A), OpenCV's order. In the planar encodings, nv12 to yuv422p, `height`
    is the picture's, `step` that of luma, and the rows of chroma follow.

    Parameters
    ----------
    mono16_range : what is white in 16 bits, grey or colour: "auto", the largest value of the 10, 12, 14 or 16 bits that
        hold what this image has, or "full", 65535
    sixteen_bits : asked first where all 16 bits are in use, with the message, its encoding and its pixels, (H, W) or
        (H, W, channels) uint16 in this machine's order; it returns the result, or None to leave the image to OpenCV

    Raises
    ------
    ValueError
        If the encoding is unknown or the sizes do not fit, with a sentence that says how.
    """
    name, layout = _layout(message, _RGB, "image")
    pixels = _pixels(message, layout)
    if layout.dtype == "u2":
        white = white_level(pixels, mono16_range)
        converted = sixteen_bits(message, name, pixels) if sixteen_bits is not None and white == FULL else None
        if converted is not None:
            return converted
        pixels = to_eight_bits(pixels, white)
    if layout.to_rgb is None:
        return np.ascontiguousarray(pixels)
    if callable(layout.to_rgb):
        return layout.to_rgb(pixels)
    return cv2.cvtColor(np.ascontiguousarray(pixels), layout.to_rgb)


def compressed_to_rgb(message: CompressedImage, *, mono16_range: str = "auto") -> np.ndarray:
    """(H, W, 3) uint8 RGB of a JPEG, PNG, TIFF, WebP or BMP picture, never rotated by its metadata.

    mono16_range as for `image_to_rgb`. What the format calls Bayer is made colours where the file has one channel.

    Raises
    ------
    ValueError
        If it cannot be decoded, is cut off, too large or depth.
    """
    pixels, encoding = decode_picture(message)
    bayer = _RGB[encoding].to_rgb if encoding.startswith("bayer_") and encoding in _RGB and pixels.ndim == 2 else None
    if bayer is not None and (pixels.shape[0] % 2 or pixels.shape[1] % 2):
        raise ValueError(f"the compressed image is {pixels.shape[1]}x{pixels.shape[0]} pixels; {encoding} needs an "
                         "even width and height")
    try:
        return to_rgb(pixels, mono16_range, bayer=bayer)
    except ValueError as error:
        raise ValueError(f"the compressed image (format {message.format[:40]!r}) {error}") from None


def image_to_mask(message: Image) -> np.ndarray:
    """(H, W) bool of a mono8, 8UC1, mono16 or 16UC1 image: True where it is not 0. ValueError as `image_to_rgb`."""
    _, layout = _layout(message, _MASKS, "mask")
    return _pixels(message, layout) != 0


def alpha_to_mask(message: Image) -> np.ndarray | None:
    """(H, W) bool of a cut-out: True where it is more than half as opaque as anywhere.

    None for an image without transparency, and for one that is equally opaque everywhere, as cameras fill it in.
    ValueError as `image_to_rgb`.
    """
    name, layout = _layout(message, _RGB, "image")
    return opaque(_pixels(message, layout)[..., 3]) if name in _WITH_ALPHA else None


def image_to_depth(message: Image) -> np.ndarray:
    """(H, W) uint16 or float32 of a depth image, in the unit of its encoding. ValueError as `image_to_rgb`."""
    _, layout = _layout(message, _DEPTHS, "depth image")
    return _pixels(message, layout)


def _layout(message: Image, layouts: dict[str, _Layout], what: str) -> tuple[str, _Layout]:
    """The name and layout of the message's encoding, once its sizes are known to fit."""
    if not message.width or not message.height:
        raise ValueError(f"the {what} is empty: it is {message.width} pixels wide and {message.height} high")
    name = _name(message.encoding, layouts)
    if name is None and layouts is _RGB and message.encoding in ("32FC1", "64FC1"):
        raise ValueError(f"the image has the encoding {message.encoding!r}, which is depth; remap image to the topic "
                         "of the picture, and depth to this one")
    if name is None:
        raise ValueError(f"the {what} has the encoding {message.encoding[:40]!r}; it must be one of "
                         f"{', '.join(layouts)}")
    layout = layouts[name]
    if message.height % layout.even[0] or message.width % layout.even[1]:
        raise ValueError(f"the {what} is {message.width}x{message.height} pixels; {name} needs "
                         f"{'an even width' if layout.even[0] == 1 else 'an even width and height'}")
    check_memory(message.data, f"the {what}")
    _check_data(message, name, layout, what)
    return name, layout


def _name(encoding: str, layouts: dict[str, _Layout]) -> str | None:
    """The encoding as ROS writes it: some drivers write it large."""
    return encoding if encoding in layouts else {name.lower(): name for name in layouts}.get(encoding.lower())


def _check_data(message: Image, name: str, layout: _Layout, what: str) -> None:
    """Raise ValueError where step or data are too short, or the data so long that something else is meant."""
    needed, step = layout.row(message.width), _step(message, layout)
    if step < needed:
        raise ValueError(f"the {what} has a step of {step} bytes; {message.width} pixels of {name} need at least "
                         f"{needed}")
    if layout.chroma is not None and step * layout.chroma.length[0] % layout.chroma.length[1]:
        raise ValueError(f"the {what} has a step of {step} bytes; it must be even for {name}, whose rows of chroma are "
                         "half as long")
    least, size = _extent(message, layout, step), len(message.data)
    if size < least:
        raise ValueError(f"the {what} has {size} bytes of data; {message.height} rows of {step} bytes of {name} need "
                         f"at least {least}")
    if size >= 2 * least and size >= least + _ALIGNMENT:
        raise ValueError(f"the {what} has {size} bytes of data; {message.height} rows of {step} bytes of {name} need "
                         f"{least}, and less than twice that must be there")


def _step(message: Image, layout: _Layout) -> int:
    """Bytes from one row of luma to the next. Some drivers count chroma in: they give the data's share of a row."""
    if layout.chroma is not None and len(message.data) < _extent(message, layout, message.step):
        down, (across, parts) = layout.chroma.rows_per_two, layout.chroma.length
        whole = message.width + message.width * down * across // (2 * parts)
        if message.step == whole:
            return message.width
    return message.step


def _extent(message: Image, layout: _Layout, step: int) -> int:
    """Bytes up to the last pixel; the padding behind it may be missing."""
    row = layout.row(message.width)
    if layout.chroma is None:
        return step * (message.height - 1) + row
    rows, (across, parts) = message.height * layout.chroma.rows_per_two // 2, layout.chroma.length
    return step * message.height + step * across // parts * (rows - 1) + row * across // parts


def _pixels(message: Image, layout: _Layout) -> np.ndarray:
    """(rows, W) or (rows, W, channels) of the data without its padding, in this machine's byte order: a view of it,
    where that can be.
    """
    dtype = np.dtype(layout.dtype).newbyteorder(">" if message.is_bigendian else "<")
    data, step = memoryview(message.data), _step(message, layout)
    view = np.ndarray((message.height, message.width, layout.channels), dtype, data,
                      strides=(step, layout.channels * dtype.itemsize, dtype.itemsize))
    native = view.astype(dtype.newbyteorder("="), copy=False)
    if layout.chroma is not None and step == message.width:
        return np.frombuffer(data, np.uint8, _extent(message, layout, step)).reshape(-1, message.width)
    if layout.chroma is not None:
        return _with_chroma(native[..., 0], data[step * message.height:], step, layout.chroma)
    return native[..., 0] if layout.channels == 1 else native


def _with_chroma(luma: np.ndarray, data: memoryview, step: int, chroma: _Chroma) -> np.ndarray:
    """(rows, W) uint8: the (H, W) luma, and behind it the rows of chroma in `data`, all without padding."""
    height, width = luma.shape
    across, parts = chroma.length
    rows = np.ndarray((height * chroma.rows_per_two // 2, width * across // parts), np.uint8, data,
                      strides=(step * across // parts, 1))
    return np.concatenate([luma, rows.reshape(-1, width)])
