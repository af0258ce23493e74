# SPDX-License-Identifier: Apache-2.0
"""The types of messages that are read and written, and their definitions."""
from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

import clipseg_ros
from clipseg_ros.messages.objects import Types

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
INFO = "sensor_msgs/msg/CameraInfo"
TRANSFORMS = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")
READ = (IMAGE, COMPRESSED, INFO, *TRANSFORMS)
"""All that is read. Their definitions are the same in every recording of their generation of ROS."""

OBJECTS = "clipseg_ros/msg/SegmentedObjectArray"
POSES = "geometry_msgs/msg/PoseArray"

_OWN = ("SegmentedObject", "SegmentedObjectArray")


@lru_cache(maxsize=None)
def ros2() -> Typestore:
    """The types of ROS 2 and this package's own."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    for name in _OWN:
        text = (_definitions() / f"{name}.msg").read_text(encoding="utf-8")
        store.register(get_types_from_msg(text, f"clipseg_ros/msg/{name}"))
    return store


@lru_cache(maxsize=None)
def ros1() -> Typestore:
    """The types of ROS 1."""
    store = get_typestore(Stores.ROS1_NOETIC)
    for name in TRANSFORMS:
        store.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", name))
    return store


@lru_cache(maxsize=None)
def written() -> Types:
    """The classes of the messages about objects, as `messages.objects.Types` has them."""
    store, packages = ros2(), {"std_msgs": ["Header"], "sensor_msgs": ["RegionOfInterest"], "clipseg_ros": _OWN,
                               "geometry_msgs": ["Point", "Pose", "PoseArray", "PoseWithCovariance", "Quaternion",
                                                 "Vector3"]}
    classes = {name: store.types[f"{package}/msg/{name}"] for package, names in packages.items() for name in names}
    return SimpleNamespace(**classes, floats=lambda values: np.array(values, np.float32))


def to_image(pixels: np.ndarray, encoding: str, header: Any) -> Any:
    """The Image of an (H, W) or (H, W, channels) array, whose type must be the one of `encoding`."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return ros2().types[IMAGE](
        header=header, height=height, width=width, encoding=encoding, is_bigendian=int(sys.byteorder == "big"),
        step=pixels.nbytes // max(height, 1), data=pixels.reshape(-1).view(np.uint8))


def to_header(header: Any) -> Any:
    """The Header of ROS 2 with the stamp and the frame of any other."""
    stamp = ros2().types["builtin_interfaces/msg/Time"](sec=header.stamp.sec, nanosec=header.stamp.nanosec)
    return written().Header(stamp=stamp, frame_id=header.frame_id)


def _definitions() -> Path:
    """The folder of this package's .msg files: installed with it, or of the source tree."""
    package = Path(clipseg_ros.__file__).parent
    installed = package / "definitions"
    return installed if installed.is_dir() else package.parent / "msg"
