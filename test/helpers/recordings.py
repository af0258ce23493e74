# SPDX-License-Identifier: Apache-2.0
"""Recordings of the recorded scenes, written by rosbags in every format, with what cameras and robots send."""
from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from clipseg_ros.lab.scenes.recorded import load_recorded

START = 1_700_000_000_000_000_000
PERIOD = 100_000_000
"""Nanoseconds from one picture to the next."""
SIZE = (320, 240)
OPTICAL = "camera_optical"
IMAGE, DEPTH, INFO = "/camera/color/image_raw", "/camera/aligned_depth/image_raw", "/camera/color/camera_info"

ROS2, ROS1 = get_typestore(Stores.ROS2_HUMBLE), get_typestore(Stores.ROS1_NOETIC)
ROS1.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", "tf2_msgs/msg/TFMessage"))


class Sent(NamedTuple):
    """A message, when it was recorded, and how it was made, for a store of types."""

    topic: str
    kind: str
    received: int
    make: Callable[[Any], Any]


def header(types, stamp: int, frame: str = OPTICAL):
    """stamp in nanoseconds; ROS 1's has a number, too."""
    time = types["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9)
    more = {"seq": 7} if "seq" in types["std_msgs/msg/Header"].__dataclass_fields__ else {}
    return types["std_msgs/msg/Header"](stamp=time, frame_id=frame, **more)


def image(pixels: np.ndarray, encoding: str, stamp: int, *, topic: str = IMAGE, frame: str = OPTICAL,
          received: int | None = None) -> Sent:
    """A sensor_msgs/Image of an array."""
    pixels = np.ascontiguousarray(pixels)
    return Sent(topic, "sensor_msgs/msg/Image", stamp if received is None else received, lambda types: types[
        "sensor_msgs/msg/Image"](header=header(types, stamp, frame), height=pixels.shape[0], width=pixels.shape[1],
                                 encoding=encoding, is_bigendian=0, step=pixels[0].nbytes,
                                 data=pixels.reshape(-1).view(np.uint8)))


def compressed(data: bytes, format_: str, stamp: int, topic: str) -> Sent:
    """A sensor_msgs/CompressedImage."""
    kind = "sensor_msgs/msg/CompressedImage"
    return Sent(topic, kind, stamp, lambda types: types[kind](
        header=header(types, stamp), format=format_, data=np.frombuffer(data, np.uint8)))


def camera_info(k: np.ndarray, stamp: int, topic: str = INFO) -> Sent:
    """A sensor_msgs/CameraInfo; ROS 1 writes four of its names large."""
    kind = "sensor_msgs/msg/CameraInfo"

    def make(types):
        numbers = {"d": np.zeros(5), "k": k.ravel().astype(np.float64), "r": np.eye(3).ravel(),
                   "p": np.hstack([k, np.zeros((3, 1))]).ravel().astype(np.float64)}
        if "K" in types[kind].__dataclass_fields__:
            numbers = {name.upper(): value for name, value in numbers.items()}
        roi = types["sensor_msgs/msg/RegionOfInterest"](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        return types[kind](header=header(types, stamp), height=SIZE[1], width=SIZE[0], distortion_model="plumb_bob",
                           binning_x=0, binning_y=0, roi=roi, **numbers)

    return Sent(topic, kind, stamp, make)


def transform(parent: str, child: str, shift: tuple[float, float, float], stamp: int, *, static: bool = False,
              turn: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0), received: int | None = None) -> Sent:
    """A tf2_msgs/TFMessage of one transform; turn is x y z w."""
    kind = "tf2_msgs/msg/TFMessage"

    def make(types):
        one = types["geometry_msgs/msg/TransformStamped"](
            header=header(types, stamp, parent), child_frame_id=child,
            transform=types["geometry_msgs/msg/Transform"](
                translation=types["geometry_msgs/msg/Vector3"](**dict(zip("xyz", shift))),
                rotation=types["geometry_msgs/msg/Quaternion"](**dict(zip("xyzw", turn)))))
        return types[kind](transforms=[one])

    return Sent("/tf_static" if static else "/tf", kind, stamp if received is None else received, make)


def scenes() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(240, 320, 3) uint8 RGB, (240, 320) uint16 millimetres and the (3, 3) camera matrix of each recorded scene."""
    small = []
    for one in load_recorded():
        factor = SIZE[0] / one.rgb.shape[1]
        k = one.k * [[factor], [factor], [1]]
        millimetres = np.nan_to_num(one.depth * 1000).astype(np.uint16)
        small.append((cv2.resize(one.rgb, SIZE, interpolation=cv2.INTER_AREA),
                      cv2.resize(millimetres, SIZE, interpolation=cv2.INTER_NEAREST), k))
    return small


def home(count: int, *, how: str = "raw", each: int = 2) -> Iterator[Sent]:
    """What an RGB-D camera that looks at each scene for `each` pictures sends, and where it is in base_link.

    how : "raw", or "compressed" for JPEG and compressedDepth
    """
    turn = (-0.5, 0.5, -0.5, 0.5)  # an optical frame that looks forwards
    yield transform("base_link", OPTICAL, (0.1, 0.0, 1.2), START, static=True, turn=turn)
    small = scenes()
    for index in range(count):
        stamp = START + index * PERIOD
        rgb, millimetres, k = small[index // each % len(small)]
        yield camera_info(k, stamp)
        if how == "raw":
            yield image(rgb, "rgb8", stamp)
            yield image(millimetres, "16UC1", stamp, topic=DEPTH, received=stamp + 20_000_000)
        else:
            file = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
            yield compressed(file, "rgb8; jpeg compressed bgr8", stamp, f"{IMAGE}/compressed")
            depth = bytes(12) + cv2.imencode(".png", millimetres)[1].tobytes()
            yield compressed(depth, "16UC1; compressedDepth png", stamp, f"{DEPTH}/compressedDepth")


def record(path: Path, messages: Iterator[Sent] | list[Sent], *, kind: str = "mcap", zstd: str = "") -> Path:
    """Write a recording and return its path: a folder for ROS 2, a file for ROS 1.

    kind : "mcap", "db3" or "bag"
    zstd : "", or for ROS 2 what is compressed: "message", "file" or (MCAP) "storage"
    """
    if kind == "bag":
        with Writer1(path) as writer:
            return _fill(writer, messages, path, ROS1, "serialize_ros1")
    plugin = StoragePlugin.MCAP if kind == "mcap" else StoragePlugin.SQLITE3
    writer = Writer2(path, version=9, storage_plugin=plugin)
    if zstd:
        writer.set_compression(CompressionMode[zstd.upper()], CompressionFormat.ZSTD)
    with writer:
        return _fill(writer, messages, path, ROS2, "serialize_cdr")


def _fill(writer, messages, path: Path, store, serialize: str) -> Path:
    connections: dict[str, Any] = {}
    for one in messages:
        if one.topic not in connections:
            connections[one.topic] = writer.add_connection(one.topic, one.kind, typestore=store)
        writer.write(connections[one.topic], one.received, getattr(store, serialize)(one.make(store.types), one.kind))
    return path


def file_of(folder: Path) -> Path:
    """The only file of a recording of ROS 2, taken out of its folder."""
    file, = (one for one in folder.iterdir() if one.suffix in (".mcap", ".db3"))
    return Path(shutil.copy(file, folder.parent / f"alone{file.suffix}"))
