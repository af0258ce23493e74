# SPDX-License-Identifier: Apache-2.0
"""A node that films a scene of the simulated home and publishes it like an RGB-D camera."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from clipseg_ros.lab.scenes.frames import Frames, RecordedFrames, RenderedFrames
from clipseg_ros.lab.scenes.sensor import Sensor
from clipseg_ros.ros.outputs.images import to_image
from clipseg_ros.ros.running import run
from clipseg_ros.ros.specs import Spec, declare

MODES = ("recorded", "static", "orbit")
DEPTH_ENCODINGS = ("16UC1", "32FC1")
RELIABILITIES = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}

SPECS = {
    "mode": Spec("recorded", "What is filmed: the recorded scenes in turn, a rendered scene, or one from a moving "
                 "camera; the last two need MuJoCo and the furniture package.", words=MODES),
    "scene": Spec(0, "Number of the first recorded scene, or seed of the rendered one.", range=(0, 2**31 - 1)),
    "kind": Spec("", "What a rendered scene shows: table, floor, small, or empty for any.",
                 words=("", "table", "floor", "small")),
    "dwell": Spec(5.0, "How long each recorded scene is shown, in seconds; 0 stays with the first.",
                  range=(0.0, 3600.0)),
    "width": Spec(640, "Width of rendered images in pixels; recorded ones have their own.", range=(32, 1280)),
    "height": Spec(480, "Height of rendered images in pixels.", range=(32, 960)),
    "swing": Spec(25.0, "How far the moving camera goes to either side, in degrees.", range=(0.0, 60.0)),
    "period": Spec(20.0, "How long the moving camera takes there and back, in seconds.", range=(0.5, 3600.0)),
    "rate": Spec(10.0, "Frames per second.", range=(0.1, 120.0)),
    "frame_id": Spec("camera_color_optical_frame", "Frame of the images: x right, y down, z forward."),
    "reliability": Spec("reliable", "Reliability that the publishers offer.", words=tuple(RELIABILITIES)),
    "depth_encoding": Spec("16UC1", "Depth in millimetres (16UC1, 0 unknown) or metres (32FC1, NaN unknown).",
                           words=DEPTH_ENCODINGS),
    "noise": Spec(2.0, "Standard deviation of the colours, in levels of 0-255.", live=True, range=(0.0, 64.0)),
    "depth_noise": Spec(0.0015, "Standard deviation of the depth at 1 m, in metres; it grows with the distance's "
                        "square.", live=True, range=(0.0, 0.1)),
    "depth_dropout": Spec(0.01, "Share of the pixels without depth.", live=True, range=(0.0, 1.0)),
    "frame_dropout": Spec(0.0, "Share of the frames that are lost.", live=True, range=(0.0, 1.0)),
    "seed": Spec(0, "Seed of noise and losses.", range=(0, 2**31 - 1)),
}


class SceneCamera(Node):
    """Publishes `image` (rgb8), `depth` and `camera_info` with one stamp per frame.

    Raises ValueError for a parameter that does not fit, ImportError where rendering is not possible.
    """

    def __init__(self, **options: Any) -> None:
        self._frames: Frames | None = None  # a half-made node is destroyed too
        super().__init__("scene_camera", **options)
        declare(self, SPECS, lambda spec: spec.descriptor(read_only=not spec.live))
        self._frames = self._open()
        self._rng = np.random.default_rng(self._value("seed"))
        self._sensor = Sensor(*self._frames.size, self._rng)
        self._pictures = self._publisher(Image, "image")
        self._depths = self._publisher(Image, "depth")
        self._infos = self._publisher(CameraInfo, "camera_info")
        self._start = time.monotonic()
        self._timer = self.create_timer(1.0 / self._value("rate"), self.film)
        height, width = self._frames.size
        self.get_logger().info(f"filming ({self._value('mode')}, {width}x{height}, {self._value('rate'):g} Hz) "
                               f"on {self._pictures.topic_name}")

    def film(self) -> None:
        """Publish the frame of this moment, unless it gets lost."""
        lost = self._rng.random() < self._value("frame_dropout")
        if lost or not any(p.get_subscription_count() for p in (self._pictures, self._depths, self._infos)):
            return
        shot = self._frames.at(time.monotonic() - self._start)
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._value("frame_id"))
        self._infos.publish(camera_info(shot.k, shot.rgb.shape[:2], header))
        if self._depths.get_subscription_count():
            depth = self._sensor.depth(shot.depth, self._value("depth_noise"), self._value("depth_dropout"))
            encoding = self._value("depth_encoding")
            self._depths.publish(to_image(depth if encoding == "32FC1" else millimetres(depth), encoding, header))
        if self._pictures.get_subscription_count():
            self._pictures.publish(to_image(self._sensor.colour(shot.rgb, self._value("noise")), "rgb8", header))

    def show(self, scene: int) -> None:
        """From the next frame on, the recorded scene of that number and the ones after it."""
        self._frames, self._start = RecordedFrames(scene, dwell=self._value("dwell")), time.monotonic()

    def destroy_node(self) -> None:
        """Free the renderer, then the node."""
        if self._frames is not None:
            self._frames.close()
        super().destroy_node()

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _open(self) -> Frames:
        mode, scene = self._value("mode"), self._value("scene")
        if mode == "recorded":
            return RecordedFrames(scene, dwell=self._value("dwell"))
        return RenderedFrames(scene, kind=self._value("kind"), width=self._value("width"), height=self._value("height"),
                              swing=self._value("swing") if mode == "orbit" else 0.0, period=self._value("period"))

    def _publisher(self, kind: type, topic: str):
        profile = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5,
                             reliability=RELIABILITIES[self._value("reliability")])
        return self.create_publisher(kind, topic, profile,
                                     qos_overriding_options=QoSOverridingOptions.with_default_policies())


@contextlib.contextmanager
def filming(**options: Any) -> Iterator[SceneCamera]:
    """A camera that films from a thread of its own; the options are the node's, `parameters` its parameters."""
    overrides = [Parameter(name, value=value) for name, value in options.pop("parameters", {}).items()]
    camera = SceneCamera(parameter_overrides=overrides, **options)
    executor = SingleThreadedExecutor(context=camera.context)
    executor.add_node(camera)

    def film() -> None:
        try:
            executor.spin()
        except Exception:  # also where Ctrl-C ends ROS in the middle of a frame
            if camera.context.ok():
                raise

    thread = threading.Thread(target=film, name="scene camera", daemon=True)
    thread.start()
    try:
        yield camera
    finally:
        executor.shutdown()
        thread.join()
        camera.destroy_node()


def millimetres(depth: np.ndarray) -> np.ndarray:
    """(H, W) uint16 millimetres, 0 where unknown, of (H, W) float32 metres, NaN where unknown."""
    return np.clip(np.rint(np.nan_to_num(depth * 1000.0, posinf=65535)), 0, 65535).astype(np.uint16)


def camera_info(k: np.ndarray, shape: tuple[int, int], header: Header) -> CameraInfo:
    """The calibration of a pinhole camera without distortion; k (3, 3) pixels, shape (height, width)."""
    k = np.asarray(k, np.float64)
    projection = np.hstack([k, np.zeros((3, 1))])
    return CameraInfo(header=header, height=int(shape[0]), width=int(shape[1]), distortion_model="plumb_bob",
                      d=[0.0] * 5, k=k.ravel(), r=np.eye(3).ravel(), p=projection.ravel())


def main(args: list[str] | None = None) -> int:
    """Run the node; return the process's exit status."""
    return run(SceneCamera, program="scene_camera", args=args)


if __name__ == "__main__":
    sys.exit(main())
