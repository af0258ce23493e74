# SPDX-License-Identifier: Apache-2.0
"""Time of regions and poses: 20 objects in one probability image and its depth, on one core.

    python benchmarks/poses.py [--repeats N] [--objects N]

The objects are round, slanted and side by side, on a wall two metres behind them; depth is 16UC1 with 2 mm of noise,
1 % of holes. Measured is everything from the probability and the depth message's pixels to the poses: depth in metres,
connected regions, points, poses.
"""
from __future__ import annotations

import argparse
import os
import time
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")
import cv2  # noqa: E402
import numpy as np  # noqa: E402

from clipseg_ros.perception.camera import Pinhole  # noqa: E402
from clipseg_ros.perception.depth import depth_in_metres  # noqa: E402
from clipseg_ros.perception.location import Location, locate  # noqa: E402
from clipseg_ros.perception.regions import find_regions  # noqa: E402

BARS = {(640, 480): 8.0, (1280, 720): 20.0}
"""Milliseconds."""


def scene(size: tuple[int, int], objects: int) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) float32 probability and (H, W) uint16 millimetres of discs in rows."""
    width, height = size
    columns = int(np.ceil(np.sqrt(objects * width / height)))
    cell = width / columns
    v, u = np.mgrid[:height, :width]
    rng = np.random.default_rng(0)
    probability = np.zeros((height, width), np.float32)
    depth = np.full((height, width), 3.0)
    for index in range(objects):
        centre = ((index % columns + 0.5) * cell, (index // columns + 0.5) * cell)
        inside = np.hypot(u - centre[0], v - centre[1]) < 0.42 * cell
        probability[inside] = 0.6 + 0.3 * rng.random()
        depth[inside] = (1.0 + 0.001 * (u - centre[0]) + 0.002 * (v - centre[1]))[inside]
    depth += rng.normal(0, 0.002, depth.shape)
    millimetres = np.rint(1000 * depth).astype(np.uint16)
    millimetres[rng.random(depth.shape) < 0.01] = 0
    return probability, millimetres


def find(probability: np.ndarray, millimetres: np.ndarray, camera: Pinhole, objects: int) -> list[Location]:
    """What the node does for one prompt of one frame."""
    depth = depth_in_metres(millimetres, "16UC1", min_depth=0.05, max_depth=20.0)
    regions = find_regions(probability, 0.5, min_area=64, max_regions=objects)
    return locate(regions, camera, depth)


def measure(size: tuple[int, int], objects: int, repeats: int) -> list[float]:
    """Milliseconds of each repetition."""
    probability, millimetres = scene(size, objects)
    camera = Pinhole(600.0, 600.0, size[0] / 2, size[1] / 2, size)
    found = find(probability, millimetres, camera, objects)
    if len(found) != objects or any(one.pose is None for one in found):
        raise RuntimeError(f"{len(found)} of {objects} objects were found with a pose")
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        find(probability, millimetres, camera, objects)
        times.append(1000 * (time.perf_counter() - start))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of regions and poses on one core.")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--objects", type=int, default=20)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for size, bar in BARS.items():
        times = measure(size, options.objects, options.repeats)
        print(f"{size[0]}x{size[1]}, {options.objects} objects: {median(times):.1f} ms median, "
              f"{np.quantile(times, 0.95):.1f} ms 95 % (bar for 20 objects: {bar:g} ms)", flush=True)


if __name__ == "__main__":
    main()
