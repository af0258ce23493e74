# SPDX-License-Identifier: Apache-2.0
"""Age of the results while four cameras send more images than the network can take.

    python benchmarks/overload.py [--cameras 4] [--rate 30] [--seconds 120] [--weights demo] [--size 640x480]

Starts the real node and the cameras as two processes, with the Fast DDS profile of config/fastdds.xml. The age is the
time from an image's stamp, set when it was published, to the arrival of its mask. Bars: 95 % of the ages within twice the
network's time for one batch of all cameras plus 10 ms, no growth, every image either answered or counted as dropped.
"""
from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.time import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from clipseg_ros.ros.middleware import prefer_large_images
from clipseg_ros.ros.outputs.images import to_image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test" / "helpers"))
from beat import Beat  # noqa: E402

ALLOWANCE = 0.010
"""Seconds beside the network's."""
GROWTH = 1.25
"""Ratio of the last fifth's median age to the first fifth's from which on ages count as growing."""
SETTLING = 5.0
"""Seconds that are not counted at the start."""


class Cameras:
    """Publishes to every camera, each in its turn."""

    def __init__(self, node, names: list[str], size: tuple[int, int]) -> None:
        self._clock = node.get_clock()
        self._publishers = [node.create_publisher(Image, f"/{name}/image", 1) for name in names]
        generator = np.random.default_rng(0)
        # Never the same one twice running: a frame that equals the one before is not encoded again.
        self._pictures = [to_image(generator.integers(0, 256, (size[1], size[0], 3), np.uint8), "rgb8", Header())
                          for _ in range(len(names) + 1)]

    def send(self, number: int) -> None:
        """Publish the picture of this number."""
        picture = self._pictures[number % len(self._pictures)]
        picture.header.stamp = self._clock.now().to_msg()
        self._publishers[number % len(self._publishers)].publish(picture)


def start_node(names: list[str], weights: str) -> subprocess.Popen:
    parameters = {"weights": weights, "device": "cpu", "cameras": f"[{', '.join(names)}]", "max_batch": len(names)}
    arguments = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    environment = dict(os.environ, OMP_NUM_THREADS="2")
    return subprocess.Popen([sys.executable, "-m", "clipseg_ros.ros.node", "--ros-args", "--log-level", "warn",
                             *arguments], env=environment, cwd=ROOT)


def observe(options: argparse.Namespace, names: list[str]) -> tuple[list[tuple[float, float]], dict, float, int]:
    """(arrival, age) of each mask in seconds, the last diagnostics by camera, the network's seconds, images sent."""
    rclpy.init()
    node = rclpy.create_node("overload")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    masks: list[tuple[float, float]] = []
    states: dict[str, dict[str, str]] = {}
    network: list[float] = []

    def on_mask(message: Image) -> None:
        age = node.get_clock().now() - Time.from_msg(message.header.stamp)
        masks.append((time.monotonic(), age.nanoseconds * 1e-9))

    def on_diagnostics(message: DiagnosticArray) -> None:
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            if "frames taken" not in values:
                continue  # the node's own status
            states[status.name] = values
            if values["network [ms]"] != "-":
                network.append(float(values["network [ms]"]) / 1000)

    for name in names:
        node.create_subscription(Image, f"/clipseg/{name}/mask", on_mask, 5)
    node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, 5)
    prompt = node.create_publisher(String, "/clipseg/prompt", 1)
    cameras = Cameras(node, names, options.size)
    spin_until(executor, lambda: prompt.get_subscription_count() and node.count_publishers("/diagnostics"), 120)
    prompt.publish(String(data="; ".join(f"thing {index}" for index in range(options.prompts))))
    spin_until(executor, lambda: False, 2)
    start = time.monotonic()
    with Beat(cameras.send, options.rate * len(names)) as beat:
        spin_until(executor, lambda: False, SETTLING + options.seconds)
    # What is still on its way, and one more report of the counts.
    spin_until(executor, lambda: False, 3)
    node.destroy_node()
    rclpy.shutdown()
    return [(at, age) for at, age in masks if at > start + SETTLING], states, median(network), beat.done


def spin_until(executor: SingleThreadedExecutor, condition, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.05)


def size_of(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--prompts", type=int, default=1)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--size", type=size_of, default=(640, 480))
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    prefer_large_images()
    names = [f"camera{index}" for index in range(options.cameras)]
    process = start_node(names, options.weights)
    try:
        masks, states, network, sent = observe(options, names)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    if not masks:
        print("overload: no result came within the time")
        return 1
    ages = np.array([age for _, age in masks])
    fifth = max(len(ages) // 5, 1)
    growth = float(np.median(ages[-fifth:]) / np.median(ages[:fifth]))
    bar = 2 * network + ALLOWANCE
    late = float(np.quantile(ages, 0.95))
    print(f"{options.cameras} cameras at {options.rate:g} Hz, {options.seconds:g} s: {sent} images sent, {len(ages)} masks "
          f"({len(ages) / options.seconds:.1f} a second), network {1000 * network:.1f} ms a batch")
    print(f"age: median {1000 * np.median(ages):.1f} ms, 95 % within {1000 * late:.1f} ms (bar {1000 * bar:.1f}); "
          f"last fifth / first fifth {growth:.2f} (bar {GROWTH:g})")
    for name, values in sorted(states.items()):
        print(f"  {name}: {values['frames taken']} taken, {values['frames overtaken']} overtaken")
    met = late <= bar and growth <= GROWTH
    print("bars met" if met else "bars MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
