# SPDX-License-Identifier: Apache-2.0
"""Plays recorded scenes as an RGB-D camera would: image, depth and calibration with one stamp."""

from __future__ import annotations

import threading

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from clipseg_ros.ros.messages import camera_info, to_image
from clipseg_ros.scenes.scene import Scene

FRAME_ID = "camera_color_optical_frame"


class Player:
    """Publishes the scene that is shown, again and again, from a thread of its own.

    Parameters
    ----------
    node : on which the publishers are made
    camera : namespace of the topics
    rate : frames per second
    """

    def __init__(self, node: Node, camera: str, *, rate: float = 10.0) -> None:
        self._context = node.context
        self._clock = node.get_clock()
        self._images = node.create_publisher(Image, f"{camera}/image", 5)
        self._depths = node.create_publisher(Image, f"{camera}/depth", 5)
        self._infos = node.create_publisher(CameraInfo, f"{camera}/camera_info", 5)
        self._period = 1.0 / rate
        self._scene: Scene | None = None
        self._guard = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._play, name="player", daemon=True)

    def __enter__(self) -> Player:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def show(self, scene: Scene) -> None:
        """From the next frame on, this scene."""
        with self._guard:
            self._scene = scene

    def _play(self) -> None:
        while not self._end.wait(self._period):
            with self._guard:
                scene = self._scene
                if scene is None:
                    continue
                try:
                    self._publish(scene)
                except Exception:
                    if self._context.ok():
                        raise
                    return  # Ctrl-C ended ROS in the middle of a frame

    def _publish(self, scene: Scene) -> None:
        header = Header(stamp=self._clock.now().to_msg(), frame_id=FRAME_ID)
        self._infos.publish(camera_info(scene.k, scene.rgb.shape[:2], header))
        if scene.depth is not None:
            self._depths.publish(to_image(millimetres(scene.depth), "16UC1", header))
        self._images.publish(to_image(scene.rgb, "rgb8", header))


def millimetres(depth: np.ndarray) -> np.ndarray:
    """(H, W) uint16 millimetres, 0 where unknown, of (H, W) float32 metres, NaN where unknown."""
    return np.clip(np.nan_to_num(depth * 1000.0, posinf=65535), 0, 65535).round().astype(np.uint16)
