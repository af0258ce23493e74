# SPDX-License-Identifier: Apache-2.0
"""What ROS costs: from an image published to all five outputs received, minus the time of the network.

Starts the real node and a camera as two processes and talks over the real middleware, once with the Fast DDS profile
of config/fastdds.xml and once without it. Beside the time that passes it measures the processor's time that the node
spends on a frame, again without the network's.

    python benchmarks/ros_overhead.py [--prompts N] [--frames N] [--size 640x480|1280x720]
"""
from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clipseg_ros.ros.middleware import VARIABLES

ROOT = Path(__file__).resolve().parent.parent
PROFILE = ROOT / "config" / "fastdds.xml"
BARS_MS = {(640, 480): (10.0, 5.0), (1280, 720): (None, 10.0)}
"""Of an image size: the time that passes and the processor's time, medians with the profile."""
WARM_UP_FRAMES = 10
MOST_LOST = 15
"""Frames lost in a row after which the others are not tried."""
OUTPUTS = ("mask", "label", "probability", "overlay", "objects")


def serve(record: str, arguments: list[str]) -> int:
    """Run the node with {stamp in seconds: (network, processor)} written to `record`, both in seconds."""
    from clipseg_ros.clipseg import Segmenter
    from clipseg_ros.ros import node, pipeline

    frames: dict[int, tuple[float, float]] = {}
    network = [0.0, 0.0]
    last = [time.process_time()]
    look, process = Segmenter.maps, pipeline.Pipeline.process

    def timed_maps(*args, **kwargs):
        start = time.perf_counter(), time.process_time()
        try:
            return look(*args, **kwargs)
        finally:
            network[:] = time.perf_counter() - start[0], time.process_time() - start[1]

    def timed_process(self, batch):
        process(self, batch)
        now = time.process_time()
        # Since the frame before: what its callbacks, the network and the outputs took.
        frames.update((frame.header.stamp.sec, (network[0], now - last[0] - network[1])) for _, frame in batch)
        last[0] = now

    Segmenter.maps, pipeline.Pipeline.process = timed_maps, timed_process
    status = node.main(arguments)
    Path(record).write_text(json.dumps(frames))
    return status


def observe(frames: int, prompts: int, size: tuple[int, int]) -> dict[int, float]:
    """Publish frames one after another; return {stamp in seconds: seconds until the last output had arrived}."""
    import numpy as np
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header, String

    from clipseg_ros.msg import SegmentedObjectArray
    from clipseg_ros.ros.outputs.images import to_image

    rclpy.init()
    node = rclpy.create_node("camera")
    executor = SingleThreadedExecutor()  # rclpy.spin_once would set one up for every message
    executor.add_node(node)
    arrived: dict[int, set[str]] = {}
    for name in OUTPUTS:
        kind = SegmentedObjectArray if name == "objects" else Image
        node.create_subscription(kind, f"/clipseg/{name}", lambda message, name=name: arrived.setdefault(
            message.header.stamp.sec, set()).add(name), 1)
    camera = node.create_publisher(Image, "/image", 1)
    prompt = node.create_publisher(String, "/clipseg/prompt", 1)
    ready = (lambda: camera.get_subscription_count() and prompt.get_subscription_count()
             and all(node.count_publishers(f"/clipseg/{name}") for name in OUTPUTS))
    if not _spin_until(executor, ready, 120):
        raise SystemExit("ros_overhead: the node has not become active within two minutes; its output says why")
    prompt.publish(String(data="; ".join(f"thing {index}" for index in range(prompts))))
    _spin_until(executor, lambda: False, 1)
    generator = np.random.default_rng(0)
    taken, lost = {}, 0
    for stamp in range(1, WARM_UP_FRAMES + frames + 1):
        header = Header()
        header.stamp.sec = stamp
        message = to_image(generator.integers(0, 256, (size[1], size[0], 3), np.uint8), "rgb8", header)
        start = time.perf_counter()
        camera.publish(message)
        complete = _spin_until(executor, lambda: len(arrived.get(stamp, ())) == len(OUTPUTS), 2)
        if complete and stamp > WARM_UP_FRAMES:
            taken[stamp] = time.perf_counter() - start
        lost = 0 if complete else lost + 1
        if lost == MOST_LOST:
            break
        _spin_until(executor, lambda: False, 0.03)
    node.destroy_node()
    rclpy.shutdown()
    return taken


def measure(profile: bool, options: argparse.Namespace) -> list[tuple[float, float]]:
    """Overheads of the frames whose outputs all arrived: the time that passed and the processor's, in milliseconds."""
    environment = dict(os.environ, ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST", OMP_NUM_THREADS="2")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
    for name in VARIABLES:
        environment.pop(name, None)
        if profile:
            environment[name] = str(PROFILE)
    with tempfile.TemporaryDirectory() as scratch:
        record, latencies = f"{scratch}/network.json", f"{scratch}/latencies.json"
        node = subprocess.Popen([sys.executable, __file__, "--serve", record, "--ros-args", "--log-level", "warn",
                                 "-p", f"weights:={options.weights}", "-p", "device:=cpu"], env=environment)
        try:
            observer = subprocess.run([sys.executable, __file__, "--observe", latencies, "--frames",
                                       str(options.frames), "--prompts", str(options.prompts), "--size",
                                       options.size], env=environment)
        finally:
            node.send_signal(signal.SIGINT)
            node.wait(60)
        if observer.returncode:
            raise SystemExit(1)
        node_times = {int(stamp): both for stamp, both in json.loads(Path(record).read_text()).items()}
        total = {int(stamp): seconds for stamp, seconds in json.loads(Path(latencies).read_text()).items()}
    print(f"  network {statistics.median(network for network, _ in node_times.values()) * 1e3:.1f} ms")
    return [(1e3 * (seconds - node_times[stamp][0]), 1e3 * node_times[stamp][1]) for stamp, seconds in total.items()]


def _spin_until(executor, condition, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not (met := condition()) and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=min(0.01, timeout))
    return bool(met)


def main() -> int:
    if sys.argv[1:2] == ["--serve"]:
        return serve(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--prompts", type=int, default=1)
    parser.add_argument("--weights", default="untrained")
    parser.add_argument("--size", default="640x480", help="of the camera's images")
    parser.add_argument("--observe", help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = tuple(int(number) for number in options.size.split("x"))
    if options.observe:
        Path(options.observe).write_text(json.dumps(observe(options.frames, options.prompts, size)))
        return 0
    bars = BARS_MS.get(size, (None, None))
    passed = False
    for profile in (True, False):
        name = "with config/fastdds.xml" if profile else "default middleware"
        overheads = measure(profile, options)
        if not overheads:
            print(f"{name}: no frame came through")
            continue
        figures = [statistics.median(column) for column in zip(*overheads)]
        passing = sorted(passing for passing, _ in overheads)
        print(f"{name}: {len(overheads)}/{options.frames} frames, overhead median {figures[0]:.1f} ms, "
              f"90% within {passing[int(0.9 * len(passing))]:.1f} ms; the node's processor time {figures[1]:.1f} ms")
        if profile:
            passed = all(bar is None or figure <= bar for figure, bar in zip(figures, bars))
    print("bars with the profile: " + ", ".join(f"{bar:g} ms {what}" for bar, what in zip(
        bars, ("passing", "of the processor")) if bar) + (", met" if passed else ", MISSED"))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
