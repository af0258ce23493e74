# SPDX-License-Identifier: Apache-2.0
"""A node that films a scene of the simulated home and publishes it like an RGB-D camera."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from clipseg_ros.ros.messages import camera_info, to_image
from clipseg_ros.scenes.frames import Frames, RecordedFrames, RenderedFrames
from clipseg_ros.scenes.sensor import Sensor

MODES = ("recorded", "static", "orbit")
DEPTH_ENCODINGS = ("16UC1", "32FC1")
RELIABILITIES = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}


@dataclass(frozen=True)
class _Spec:
    """A parameter: default, description, range of a number or words of a text, and whether it can change."""

    default: Any
    description: str
    range: tuple[float, float] | None = None
    words: tuple[str, ...] = ()
    live: bool = False

    def descriptor(self) -> ParameterDescriptor:
        limits: dict[str, Any] = {}
        if self.range and isinstance(self.default, float):
            limits["floating_point_range"] = [
                FloatingPointRange(from_value=self.range[0], to_value=self.range[1])
            ]
        elif self.range:
            limits["integer_range"] = [IntegerRange(from_value=self.range[0], to_value=self.range[1], step=1)]
        return ParameterDescriptor(
            description=self.description,
            read_only=not self.live,
            additional_constraints=" | ".join(self.words),
            **limits,
        )


SPECS = {
    "mode": _Spec(
        "recorded",
        "What is filmed: the recorded scenes in turn, a rendered scene, or one from a moving "
        "camera; the last two need MuJoCo and the furniture package.",
        words=MODES,
    ),
    "scene": _Spec(0, "Number of the first recorded scene, or seed of the rendered one.", (0, 2**31 - 1)),
    "kind": _Spec(
        "",
        "What a rendered scene shows: table, floor, small, or empty for any.",
        words=("", "table", "floor", "small"),
    ),
    "dwell": _Spec(
        5.0, "How long each recorded scene is shown, in seconds; 0 stays with the first.", (0.0, 3600.0)
    ),
    "width": _Spec(640, "Width of rendered images in pixels; recorded ones have their own.", (32, 1280)),
    "height": _Spec(480, "Height of rendered images in pixels.", (32, 960)),
    "swing": _Spec(25.0, "How far the moving camera goes to either side, in degrees.", (0.0, 60.0)),
    "period": _Spec(20.0, "How long the moving camera takes there and back, in seconds.", (0.5, 3600.0)),
    "rate": _Spec(10.0, "Frames per second.", (0.1, 120.0)),
    "frame_id": _Spec("camera_color_optical_frame", "Frame of the images: x right, y down, z forward."),
    "reliability": _Spec("reliable", "Reliability that the publishers offer.", words=tuple(RELIABILITIES)),
    "depth_encoding": _Spec(
        "16UC1",
        "Depth in millimetres (16UC1, 0 unknown) or metres (32FC1, NaN unknown).",
        words=DEPTH_ENCODINGS,
    ),
    "noise": _Spec(2.0, "Standard deviation of the colours, in levels of 0-255.", (0.0, 64.0), live=True),
    "depth_noise": _Spec(
        0.0015,
        "Standard deviation of the depth at 1 m, in metres; it grows with the distance's square.",
        (0.0, 0.1),
        live=True,
    ),
    "depth_dropout": _Spec(0.01, "Share of the pixels without depth.", (0.0, 1.0), live=True),
    "frame_dropout": _Spec(0.0, "Share of the frames that are lost.", (0.0, 1.0), live=True),
    "seed": _Spec(0, "Seed of noise and losses.", (0, 2**31 - 1)),
}


class SceneCamera(Node):
    """Publishes `image` (rgb8), `depth` and `camera_info` with one stamp per frame.

    Raises ValueError for a parameter that does not fit, ImportError where rendering is not possible.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("scene_camera", **options)
        for name, spec in SPECS.items():
            value = self.declare_parameter(name, spec.default, spec.descriptor()).value
            if spec.words and value not in spec.words:
                words = ", ".join(filter(None, spec.words))
                raise ValueError(f"the parameter {name} is '{value}'; it must be one of {words}")
        self._frames = self._open()
        self._rng = np.random.default_rng(self._value("seed"))
        self._sensor = Sensor(*self._frames.size, self._rng)
        self._pictures = self._publisher(Image, "image")
        self._depths = self._publisher(Image, "depth")
        self._infos = self._publisher(CameraInfo, "camera_info")
        self._start = time.monotonic()
        self._timer = self.create_timer(1.0 / self._value("rate"), self.film)
        height, width = self._frames.size
        self.get_logger().info(
            f"filming ({self._value('mode')}, {width}x{height}, {self._value('rate'):g} Hz) "
            f"on {self._pictures.topic_name}"
        )

    def film(self) -> None:
        """Publish the frame of this moment, unless it gets lost."""
        lost = self._rng.random() < self._value("frame_dropout")
        if lost or not any(p.get_subscription_count() for p in (self._pictures, self._depths, self._infos)):
            return
        frame = self._frames.at(time.monotonic() - self._start)
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._value("frame_id"))
        self._infos.publish(camera_info(frame.k, frame.rgb.shape[:2], header))
        if self._depths.get_subscription_count():
            depth = self._sensor.depth(frame.depth, self._value("depth_noise"), self._value("depth_dropout"))
            encoding = self._value("depth_encoding")
            self._depths.publish(to_image(_encoded(depth, encoding), encoding, header))
        if self._pictures.get_subscription_count():
            self._pictures.publish(
                to_image(self._sensor.colour(frame.rgb, self._value("noise")), "rgb8", header)
            )

    def destroy_node(self) -> None:
        """Free the renderer, then the node."""
        self._frames.close()
        super().destroy_node()

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _open(self) -> Frames:
        mode, scene = self._value("mode"), self._value("scene")
        if mode == "recorded":
            return RecordedFrames(scene, dwell=self._value("dwell"))
        return RenderedFrames(
            scene,
            kind=self._value("kind"),
            width=self._value("width"),
            height=self._value("height"),
            swing=self._value("swing") if mode == "orbit" else 0.0,
            period=self._value("period"),
        )

    def _publisher(self, kind: type, topic: str):
        profile = QoSProfile(
            history=HistoryPolicy.KEEP_LAST, depth=5, reliability=RELIABILITIES[self._value("reliability")]
        )
        return self.create_publisher(
            kind, topic, profile, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )


def _encoded(metres: np.ndarray, encoding: str) -> np.ndarray:
    """Depth as it is sent: uint16 millimetres with 0 unknown, or float32 metres with NaN unknown."""
    if encoding == "32FC1":
        return metres
    return np.clip(np.rint(np.nan_to_num(metres * 1000.0)), 0, 65535).astype(np.uint16)


def main(args: list[str] | None = None) -> int:
    """Run the node; return the process's exit status."""
    try:
        rclpy.init(args=args)
        node = SceneCamera()
        try:
            rclpy.spin(node)
        finally:
            node.destroy_node()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ValueError, OSError, ImportError, ParameterException) as error:
        print(f"scene_camera: {error}", file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
