# SPDX-License-Identifier: Apache-2.0
"""How fast `clipseg bag` works through a recording, against the network alone on the same pictures.

The recording, MCAP with raw colour, depth and calibration at 640x480, is made of the recorded scenes. Both see the same
pictures in the same batches: the network alone has them decoded in memory, `clipseg bag` reads them, finds objects with
poses and numbers, and writes masks, objects, poses and overlays. They take turns. "published-size" is the published
architecture with random weights; its masks mean nothing, so what it finds is replaced by what the demo weights find.

    python benchmarks/bag.py
    python benchmarks/bag.py --weights demo --images 120
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from rosbags.rosbag2 import StoragePlugin, Writer
from tqdm import tqdm

from clipseg_ros.bags import types
from clipseg_ros.bags.cameras import find_camera
from clipseg_ros.bags.moments import Choices, Moments
from clipseg_ros.bags.outputs import Recording
from clipseg_ros.bags.reading import Bag
from clipseg_ros.bags.search import search
from clipseg_ros.clipseg import Prompt, Segmenter
from clipseg_ros.clipseg.prompts import ActivePrompts
from clipseg_ros.lab.benchmarking.measure import Contender, clock_of, ratio, take_turns
from clipseg_ros.lab.benchmarking.subject import PUBLISHED_SIZE, open_subject
from clipseg_ros.lab.scenes.recorded import load_recorded
from clipseg_ros.perception.maps import Maps

TEXTS = ("chair", "lamp", "mug", "something to sit on")
ACTIVE = ActivePrompts(TEXTS, tuple(map(Prompt, TEXTS)), (0.5,) * len(TEXTS))
PERIOD = 66_666_667
"""Nanoseconds from one picture to the next."""
BAR = 0.9


class Network:
    """The network that is measured, which finds what the demo weights find.

    Attributes
    ----------
    device : where it runs
    """

    def __init__(self, weights: str, device: str, batch: int) -> None:
        with open_subject(weights, for_peers=False) as subject:
            self._segmenter = Segmenter(subject.model, device=device, trained=not subject.random)
        self.device = self._segmenter.device
        self._segmenter.warm_up(batch)
        demo = Segmenter.load("demo", device="cpu")
        pictures = [scene.rgb for scene in load_recorded()]
        self._known = {_key(one): maps for one, maps in zip(pictures, demo.maps(
            pictures, ACTIVE.prompts, ACTIVE.thresholds))}

    def maps(self, images: Sequence[np.ndarray], *arguments: object, **more: object) -> list[Maps]:
        """As `Segmenter.maps`."""
        self._segmenter.maps(images, *arguments, **more)
        return [Maps(self._known[_key(one)].values, ACTIVE.thresholds) for one in images]


def _key(picture: np.ndarray) -> bytes:
    return picture[::40, ::40].tobytes()


def write_recording(folder: Path, images: int) -> None:
    """So many pictures of the recorded scenes, each with depth and calibration, as rosbag2 writes them."""
    store, scenes = types.ros2(), load_recorded()
    time, empty = store.types["builtin_interfaces/msg/Time"], np.zeros(0)
    roi = store.types["sensor_msgs/msg/RegionOfInterest"](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    topics = {"/camera/image_raw": types.IMAGE, "/camera/camera_info": types.INFO, "/camera/depth": types.IMAGE}
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = [writer.add_connection(name, kind, typestore=store) for name, kind in topics.items()]
        for index in range(images):
            scene, stamp = scenes[index // 5 % len(scenes)], 10**18 + index * PERIOD
            header = types.written().Header(stamp=time(sec=stamp // 10**9, nanosec=stamp % 10**9), frame_id="camera")
            height, width = scene.depth.shape
            info = store.types[types.INFO](
                header=header, height=height, width=width, distortion_model="plumb_bob", d=empty, roi=roi,
                k=scene.k.astype(np.float64).ravel(), r=np.eye(3).ravel(), p=np.zeros(12), binning_x=0, binning_y=0)
            depth = np.nan_to_num(scene.depth * 1000).astype(np.uint16)
            sent = (types.to_image(scene.rgb, "rgb8", header), info, types.to_image(depth, "16UC1", header))
            for connection, message in zip(connections, sent):
                writer.write(connection, stamp, store.serialize_cdr(message, connection.msgtype))


def walk(recording: Path, network: Network, batch: int, out: Path) -> int:
    """What `clipseg bag` does; returns how many objects were found."""
    objects, choices = 0, Choices()
    with Bag(recording, warn=print) as bag:
        moments = Moments(bag, find_camera(bag, warn=print), choices, warn=print)
        written = Recording(out, ACTIVE, target_frame="")
        for result in search(moments, network, ACTIVE, choices=choices, batch=batch, warn=print):
            written.add(result)
            objects += len(result.findings.objects)
        written.close()
    return objects


def measure(weights: str, options: argparse.Namespace, folder: Path) -> float:
    """Print the row of one network; return the share of the network's speed that the walk has."""
    network = Network(weights, options.device, options.batch)
    scenes = load_recorded()
    pictures = [scenes[index // 5 % len(scenes)].rgb for index in range(options.images)]

    def alone() -> None:
        for start in range(0, len(pictures), options.batch):
            network.maps(pictures[start:start + options.batch], ACTIVE.prompts, ACTIVE.thresholds, exact=False)

    # In a thread of its own, as `clipseg bag` has it: PyTorch's threads depend on whose they are.
    worker = ThreadPoolExecutor(max_workers=1)
    contenders = [Contender("network", lambda: None, lambda _: worker.submit(alone).result()), Contender(
        "walk", lambda: None, lambda _: walk(folder / "recording", network, options.batch, folder / "out.mcap"))]
    with tqdm(total=options.repeats + 1, desc=weights, leave=False) as bar:
        samples = take_turns(contenders, repeats=options.repeats, clock=clock_of(network.device), on_round=bar.update)
    worker.shutdown()
    share = ratio(samples["walk"], samples["network"])
    speeds = (options.images / samples[name].median for name in ("network", "walk"))
    print(f"{weights:<16}{network.device!s:<8}" + "".join(f"{speed:>16.1f}" for speed in speeds) + f"{share:>10.3f}",
          flush=True)
    return share


def main() -> int:
    """Measure what was asked for; return 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", nargs="+", default=[PUBLISHED_SIZE], help=f"{PUBLISHED_SIZE}, or what "
                        "Segmenter.load takes")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    if min(options.images, options.batch, options.repeats) < 1:
        parser.error("--images, --batch and --repeats must be at least 1")
    cv2.setNumThreads(1)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {len(TEXTS)} prompts, batches of "
          f"{options.batch}; medians of {options.repeats}, images a second")
    print(f"{'weights':<16}{'device':<8}{'network alone':>16}{'clipseg bag':>16}{'share':>10}", flush=True)
    with tempfile.TemporaryDirectory(prefix="clipseg_bag_") as name:
        write_recording(Path(name) / "recording", options.images)
        worst = min(measure(weights, options, Path(name)) for weights in options.weights)
    print(f"bar: {BAR} of the network's speed, {'met' if worst >= BAR else 'MISSED'}")
    return 0 if worst >= BAR else 1


if __name__ == "__main__":
    raise SystemExit(main())
