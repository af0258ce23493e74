# SPDX-License-Identifier: Apache-2.0
"""How exact poses are in the simulated home, with ground-truth masks: centroids of convex objects, and normals.

    python benchmarks/pose_accuracy.py [--scenes N] [--seed S] [--json FILE]

A centroid is compared with the mean of all visible points of the object in the noiseless depth; objects are those of
convex categories whose visible surface is 0.5 to 3 m away. Noise is Gaussian, 2 mm; of the pixels 2 % have no depth, in
patches. Normals are those of the scenes' depth images of a flat wall, turned by chance. Needs MuJoCo, OSMesa and the
furniture models, as `clipseg scenes` does.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from clipseg_ros.lab.scenes.home import Home
from clipseg_ros.lab.scenes.scene import Scene
from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.location import locate
from clipseg_ros.perception.regions import Region, find_regions

CONVEX = ("ball", "book", "bottle", "box", "bread", "cabinet", "cake", "door", "phone", "plate")
BARS = {"centroid_median_mm": 5.0, "centroid_95_mm": 20.0, "noisy_median_mm": 10.0, "normal_median_deg": 5.0}
SCENES_PER_HOME = 20
NOISE, DROPOUT = 0.002, 0.02
NEAREST, FARTHEST = 0.5, 3.0


def convex_objects(scene: Scene) -> Iterator[tuple[Region, np.ndarray]]:
    """The region of each convex object that is whole, and the mean of its visible points (3,) in metres."""
    for one in scene.objects:
        regions = find_regions(scene.mask([one.id]).astype(np.float32), 0.5, min_area=100)
        if one.category in CONVEX and len(regions) == 1 and NEAREST <= one.centroid[2] <= FARTHEST:
            yield regions[0], np.array(one.centroid)


def spoiled(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W) depth with 2 mm of noise and 2 % holes of 3 x 3 pixels."""
    noisy = depth + rng.normal(0, NOISE, depth.shape)
    rows, columns = np.nonzero(rng.random(depth.shape) < DROPOUT / 9)
    for row, column in zip(rows, columns):
        noisy[max(row - 1, 0):row + 2, max(column - 1, 0):column + 2] = np.nan
    return noisy.astype(np.float32)


def centroid_errors(scenes: int, seed: int) -> tuple[list[float], list[float]]:
    """Millimetres between found and true centroids, without and with noise."""
    rng = np.random.default_rng(seed)
    clean, noisy = [], []
    home = None
    for number in tqdm(range(scenes), unit="scene"):
        if number % SCENES_PER_HOME == 0:
            if home is not None:
                home.close()
            home = Home(seed * 1000 + number // SCENES_PER_HOME, width=640, height=480)
        scene = home.scene(seed * 100_000 + number)
        k = scene.k
        camera = Pinhole(k[0, 0], k[1, 1], k[0, 2], k[1, 2], (640, 480))
        found = list(convex_objects(scene))
        regions = [region for region, _ in found]
        for depth, errors in ((scene.depth, clean), (spoiled(scene.depth, rng), noisy)):
            errors += [1000 * float(np.linalg.norm(location.pose.position - truth))
                       for location, (_, truth) in zip(locate(regions, camera, depth), found)]
    if home is not None:
        home.close()
    return clean, noisy


def normal_errors(planes: int, seed: int) -> list[float]:
    """Degrees between the found and the true normals of noisy walls seen through round masks."""
    rng = np.random.default_rng(seed)
    camera = Pinhole(600.0, 600.0, 319.5, 239.5, (640, 480))
    rays = np.dstack([camera.rays, np.ones((480, 640), np.float32)]).astype(np.float64)
    v, u = np.mgrid[:480, :640]
    errors = []
    for _ in range(planes):
        normal = rng.normal(size=3) * (0.5, 0.5, 0) - (0, 0, 1)
        normal /= np.linalg.norm(normal)
        depth = normal[2] * rng.uniform(NEAREST, FARTHEST) / (rays @ normal)
        radius = rng.uniform(20, 80)
        mask = np.hypot(u - rng.uniform(100, 540), v - rng.uniform(100, 380)) < radius
        depth = np.where((depth > NEAREST / 2) & (depth < 3 * FARTHEST), depth, np.nan)
        regions = find_regions((mask & ~np.isnan(depth)).astype(np.float32), 0.5, min_area=100)[:1]
        for location in locate(regions, camera, spoiled(depth, rng)):
            found = Rotation.from_quat(location.pose.orientation).as_matrix()[:, 2]
            errors.append(float(np.degrees(np.arccos(np.clip(found @ normal, -1, 1)))))
    return errors


def main() -> int:
    parser = argparse.ArgumentParser(description="How exact poses are in the simulated home.")
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    clean, noisy = centroid_errors(options.scenes, options.seed)
    normals = normal_errors(2 * options.scenes, options.seed)
    figures = {"objects": len(clean), "centroid_median_mm": float(np.median(clean)),
               "centroid_95_mm": float(np.quantile(clean, 0.95)), "noisy_median_mm": float(np.median(noisy)),
               "noisy_95_mm": float(np.quantile(noisy, 0.95)), "normals": len(normals),
               "normal_median_deg": float(np.median(normals)), "normal_95_deg": float(np.quantile(normals, 0.95))}
    for name, figure in figures.items():
        print(f"{name:20} {figure:8.2f}" + (f"   (bar {BARS[name]:g})" if name in BARS else ""))
    if options.json:
        options.json.write_text(json.dumps(figures))
    return int(any(figures[name] > bar for name, bar in BARS.items()))


if __name__ == "__main__":
    raise SystemExit(main())
