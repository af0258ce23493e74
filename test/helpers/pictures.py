# SPDX-License-Identifier: Apache-2.0
"""Pictures and the messages that carry them, written down independently of the code under test."""
from __future__ import annotations

import struct
import zlib
from array import array

import cv2
import numpy as np


def smooth_picture() -> np.ndarray:
    """(48, 64, 3) uint8 RGB whose colours change slowly, so that subsampled chroma hardly changes it."""
    rows, columns = np.mgrid[0:48, 0:64]
    return np.stack([60 + 2 * rows, 200 - 2 * columns, 80 + rows + columns], axis=-1).astype(np.uint8)


PICTURE = smooth_picture()


def message(pixels: np.ndarray, encoding: str, *, width: int = 64, height: int = 48, padding: int = 0,
            big_endian: bool = False):
    """A sensor_msgs/Image of rows of bytes, each followed by `padding` bytes of rubbish, rows of chroma by their share.
    """
    from sensor_msgs.msg import Image

    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
    share = CHROMA_SHARES.get(encoding, 1)
    chroma = rows[height:].reshape(-1, int(rows.shape[1] * share))
    data = padded(rows[:height], padding) + padded(chroma, int(padding * share))
    return Image(width=width, height=height, encoding=encoding, step=rows.shape[1] + padding,
                 is_bigendian=int(big_endian), data=array("B", data))


def padded(rows: np.ndarray, padding: int) -> bytes:
    """Rows of bytes, each followed by so many bytes of rubbish."""
    return np.concatenate([rows, np.full((len(rows), padding), 77, np.uint8)], axis=1).tobytes()


CHROMA_SHARES = {"yuv420": 0.5, "i420": 0.5, "yv12": 0.5, "yuv422p": 0.5, "nv24": 2}
"""How long a row of chroma is, and its padding, in rows of luma, where it is another length."""


def yuv(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y (H, W), U and V (H/2, W/2) of a picture, by OpenCV's planar conversion."""
    height, width = picture.shape[:2]
    planes = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).ravel()
    size = height * width
    shape = (height // 2, width // 2)
    return (planes[:size].reshape(height, width), planes[size:size * 5 // 4].reshape(shape),
            planes[size * 5 // 4:].reshape(shape))


GREYS = ("mono8", "8UC1", "mono16", "16UC1")
"""The encodings without colours."""

EIGHT_BITS = {"rgb16": "rgb8", "bgr16": "bgr8", "16UC3": "bgr8", "rgba16": "rgba8", "bgra16": "bgra8", "16UC4": "bgra8",
              **{f"bayer_{pattern}16": f"bayer_{pattern}8" for pattern in ("rggb", "bggr", "gbrg", "grbg")}}
"""The encodings of colours in 16 bits, and those of the same colours in 8."""


def encode(picture: np.ndarray, encoding: str) -> np.ndarray:
    """The rows of data of the picture in an encoding, written down independently of the code under test."""
    if encoding in EIGHT_BITS:
        return encode(picture, EIGHT_BITS[encoding]).astype("<u2") * 257
    y, u, v = yuv(picture)
    height, width = y.shape
    if encoding.startswith("bayer"):
        mosaic = np.empty((height, width), np.uint8)
        for index, letter in enumerate(encoding[6:10]):
            row, column = divmod(index, 2)
            mosaic[row::2, column::2] = picture[row::2, column::2, "rgb".index(letter)]
        return mosaic
    if encoding in ("nv12", "nv21"):
        chroma = np.stack([u, v] if encoding == "nv12" else [v, u], axis=-1).reshape(height // 2, width)
        return np.concatenate([y, chroma])
    if encoding in ("yuv420", "i420", "yv12"):
        planes = [v, u] if encoding == "yv12" else [u, v]
        return np.concatenate([y, *(plane.reshape(-1, width) for plane in planes)])
    if encoding == "yuv422p":
        return np.concatenate([y, *(np.repeat(plane, 2, axis=0).reshape(-1, width) for plane in (u, v))])
    if encoding == "nv24":
        whole = [np.repeat(np.repeat(plane, 2, axis=0), 2, axis=1) for plane in (u, v)]
        return np.concatenate([y, np.stack(whole, axis=-1).reshape(-1, width)])
    if encoding in ("yuv422", "uyvy", "yuv422_yuy2", "yuyv"):
        chroma = np.stack([np.repeat(u, 2, axis=0), np.repeat(v, 2, axis=0)], axis=-1).reshape(height, width)
        pairs = (y, chroma) if encoding in ("yuv422_yuy2", "yuyv") else (chroma, y)
        return np.stack(pairs, axis=-1)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    alpha = np.full((height, width, 1), 9, np.uint8)
    return {"rgb8": picture, "bgr8": picture[..., ::-1], "8UC3": picture[..., ::-1],
            "rgba8": np.concatenate([picture, alpha], -1), "bgra8": np.concatenate([picture[..., ::-1], alpha], -1),
            "8UC4": np.concatenate([picture[..., ::-1], alpha], -1), "mono8": grey, "8UC1": grey,
            "mono16": grey.astype("<u2") * 257, "16UC1": grey.astype("<u2") * 257}[encoding]


def file_of(picture: np.ndarray, suffix: str = ".jpg", *options: int) -> bytes:
    """The file of an (H, W) or (H, W, 3 or 4) RGB(A) picture, of the kind that `suffix` names."""
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get((picture.shape + (1,))[2])
    return cv2.imencode(suffix, picture if order is None else cv2.cvtColor(picture, order), options)[1].tobytes()


def with_orientation(file: bytes, orientation: int, *, byte_order: str = "<") -> bytes:
    """A JPEG or PNG file to which EXIF data with an orientation are added."""
    exif = ({"<": b"II*\0", ">": b"MM\0*"}[byte_order]
            + struct.pack(f"{byte_order}IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0))
    if file.startswith(b"\xff\xd8"):
        body = b"Exif\0\0" + exif
        return file[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body + file[2:]
    chunk = b"eXIf" + exif
    return file[:33] + struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + file[33:]


def claiming(file: bytes, width: int, height: int) -> bytes:
    """The JPEG or PNG file with another size in its header."""
    data = bytearray(file)
    if file.startswith(b"\xff\xd8"):
        place = max(file.find(b"\xff\xc0"), file.find(b"\xff\xc2")) + 5
        data[place:place + 4] = struct.pack(">HH", height, width)
    else:
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def noise(stamp: int, *, size: tuple[int, int] = (48, 64), frame: str = "camera_optical"):
    """A sensor_msgs/Image of size (height, width) that is another one for each stamp (seconds)."""
    pixels = np.random.default_rng(stamp).integers(0, 256, (*size, 3), np.uint8)
    return stamped(message(pixels, "rgb8", width=size[1], height=size[0]), stamp, frame=frame)


def stamped(image, stamp: int, *, frame: str = "camera_optical"):
    """The message itself, with a stamp in seconds and a frame."""
    image.header.frame_id = frame
    image.header.stamp.sec = stamp
    return image


def pixels(image) -> np.ndarray:
    """The array of a mono8, rgb8 or 32FC1 message without padding."""
    dtype, shape = {"mono8": (np.uint8, ()), "rgb8": (np.uint8, (3,)), "32FC1": (np.float32, ())}[image.encoding]
    return np.frombuffer(image.data, dtype).reshape(image.height, image.width, *shape)


def stamp(message) -> tuple[int, int]:
    """The stamp of any message with a header, in seconds and nanoseconds; the same for all that tell of one picture."""
    return message.header.stamp.sec, message.header.stamp.nanosec
