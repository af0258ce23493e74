# SPDX-License-Identifier: Apache-2.0
"""A day in the life of a node, made short: does anything grow?

    python benchmarks/soak.py [--frames 100000] [--rate 60] [--cameras 2] [--weights demo] [--seed 1] [--events NAME ...]
                              [--json FILE]

Cameras film the recorded scenes at a rate that the network cannot follow, with depth, calibration and places, and the
node remembers what it sees. Every second something else happens to it: prompts change, an example is stored, a picture
is segmented on request, the memory is asked, something is looked for by the action, parameters change and change back, a
camera goes and comes again with pictures of another size, subscribers come and go, the node is deactivated and activated.
Each of these has happened before the first 1,000 frames are over; what is held then is compared with what is held later.

Bars: memory within 3 % of what it was after 1,000 frames, no more file descriptors and threads than then, ages of results
that do not grow, no request unanswered, no error in the log.
"""
from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from geometry_msgs.msg import Point, Pose, PoseStamped
from rclpy.action import ActionClient
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test" / "helpers"))
from beat import Beat  # noqa: E402
from footprint import Footprint  # noqa: E402
from ros_peers import Peer, TestedNode  # noqa: E402

from clipseg_ros.action import Find  # noqa: E402
from clipseg_ros.demo.scene_camera import camera_info, millimetres  # noqa: E402
from clipseg_ros.lab.scenes.recorded import load_recorded  # noqa: E402
from clipseg_ros.ros.middleware import prefer_large_images  # noqa: E402
from clipseg_ros.ros.outputs.images import to_image  # noqa: E402
from clipseg_ros.ros.outputs.table import OUTPUTS  # noqa: E402
from clipseg_ros.srv import Recall, Segment, SetVisualPrompt  # noqa: E402

NODE = "/soak/clipseg"
SETTLED = 1000
"""Frames."""
GROWTH, OLDER = 1.03, 1.25
"""Ratios, of memory and of ages, from which on they grow."""
SIZES = ((480, 640), (360, 480))
PROMPTS = ("something to sit on", "chair", "a cup", "sofa", "lamp=0.4", "the red cup", "bowl !plate", "something to read",
           "@mine")
CHANGES = {"threshold": (0.4, 0.0), "min_area": (200, 64), "max_regions": (3, 20), "point": ("top", "centroid"),
           "object_masks": (False, True)}
"""Parameters, another value and the one before."""


@dataclass
class Kept:
    """What was seen of the node: one entry a second, and one a mask."""

    frames: list[int] = field(default_factory=list)
    held: list[Footprint] = field(default_factory=list)
    masks: list[tuple[int, float]] = field(default_factory=list)
    """Frames sent when it came, and its age in seconds."""

    def look(self, pid: int, frames: int) -> None:
        """One entry more."""
        self.frames.append(frames)
        self.held.append(Footprint.of(pid))


class Film:
    """Publishes what one camera films: the recorded scenes, moved a little from frame to frame, in one of two sizes."""

    def __init__(self, node, name: str) -> None:
        self._node, self._root = node, f"/soak/{name}"
        self._frame, self._turn = f"{name}_optical", 0
        self._lock = threading.Lock()
        self._publishers: dict[str, object] = {}
        self._films = [_messages(size) for size in SIZES]
        self.come()

    def come(self) -> None:
        """Begin to publish, in the other size."""
        with self._lock:
            self._turn += 1
            self._publishers = {name: self._node.create_publisher(kind, f"{self._root}/{name}", 2) for name, kind in (
                ("camera_info", CameraInfo), ("depth", Image), ("camera_pose", PoseStamped), ("image", Image))}

    def leave(self) -> None:
        """End as a driver does that is closed."""
        with self._lock:
            for publisher in self._publishers.values():
                self._node.destroy_publisher(publisher)
            self._publishers = {}

    def send(self, number: int) -> None:
        """Publish the frame of this number, if the camera is there."""
        film = self._films[self._turn % len(self._films)]
        header = Header(stamp=self._node.get_clock().now().to_msg(), frame_id=self._frame)
        sent = {**film[number % len(film)], "camera_pose": PoseStamped(pose=Pose(position=Point(x=number % 50 / 10)))}
        with self._lock:
            for name, publisher in self._publishers.items():
                sent[name].header = header
                if name == "camera_pose":
                    sent[name].header = Header(stamp=header.stamp, frame_id="map")
                publisher.publish(sent[name])


def _messages(size: tuple[int, int]) -> list[dict[str, object]]:
    """The recorded scenes in this size (height, width), each three times, moved sideways."""
    made = []
    for scene in load_recorded():
        scale = size[1] / scene.rgb.shape[1]
        rgb = cv2.resize(scene.rgb, size[::-1], interpolation=cv2.INTER_AREA)
        depth = millimetres(cv2.resize(scene.depth, size[::-1], interpolation=cv2.INTER_NEAREST))
        k = scene.k * np.array([[scale], [scale], [1.0]])
        for shift in (0, 5, 10):
            made.append({"image": to_image(np.roll(rgb, shift, axis=1), "rgb8", Header()),
                         "depth": to_image(np.roll(depth, shift, axis=1), "16UC1", Header()),
                         "camera_info": camera_info(k, size, Header())})
    return made


class Life:
    """What happens to the node beside its images. `EVENTS` are its methods, each of which ends before the next."""

    EVENTS = ("prompts", "example", "segment", "recall", "find", "parameters", "camera", "subscribers", "lifecycle")

    def __init__(self, peer: Peer, films: dict[str, Film], *, seed: int, events: Sequence[str] = EVENTS) -> None:
        self._peer, self._films, self._events = peer, films, tuple(events)
        self._rng = np.random.default_rng(seed)
        self._prompt = peer.node.create_publisher(String, f"{NODE}/prompt", 1)
        self._finder = ActionClient(peer.node, Find, f"{NODE}/find")
        self._listeners: list = []
        self._away: str | None = None
        self._scenes = load_recorded()

    def go_on(self, number: int) -> None:
        """The event of this number. One that is not answered ends the program."""
        turn, place = divmod(number, len(self._events))
        name = self._events[np.random.default_rng([turn, 7]).permutation(len(self._events))[place]]
        getattr(self, f"_{name}")()

    def _prompts(self) -> None:
        chosen = self._rng.choice(PROMPTS, int(self._rng.integers(1, 5)), replace=False)
        self._prompt.publish(String(data="; ".join(chosen)))

    def _example(self) -> None:
        picture, mask = self._picture()
        answer = self._peer.call(SetVisualPrompt, f"{NODE}/set_visual_prompt", name="mine", image=picture, mask=mask)
        assert answer.success, answer.message

    def _segment(self) -> None:
        answer = self._peer.call(Segment, f"{NODE}/segment", prompts=["chair", "a cup"], image=self._picture()[0])
        assert answer.success, answer.message

    def _recall(self) -> None:
        answer = self._peer.call(Recall, f"{NODE}/recall", prompts=["something to sit on"], time_limit=2.0)
        assert answer.success, answer.message

    def _find(self) -> None:
        self._peer.wait(self._finder.server_is_ready, "the action")
        accepted = self._finder.send_goal_async(Find.Goal(prompts=["sofa"], timeout=0.5))
        self._peer.wait(accepted.done, "the goal to be accepted")
        assert accepted.result().accepted
        self._peer.wait(accepted.result().get_result_async().done, "the goal's result")

    def _parameters(self) -> None:
        name = self._rng.choice(list(CHANGES))
        for value in CHANGES[name]:
            result = self._peer.set_parameter(str(name), value, NODE)
            assert result.successful, result.reason

    def _camera(self) -> None:
        if self._away:
            self._films[self._away].come()
            self._away = None
        else:
            self._away = str(self._rng.choice(list(self._films)))
            self._films[self._away].leave()

    def _subscribers(self) -> None:
        while self._listeners:
            self._peer.node.destroy_subscription(self._listeners.pop())
        for name in self._rng.choice(list(OUTPUTS), 5, replace=False):
            camera = self._rng.choice(list(self._films))
            self._listeners.append(self._peer.node.create_subscription(
                OUTPUTS[name].message_type, f"{NODE}/{camera}/{name}", lambda message: None, 1))

    def _lifecycle(self) -> None:
        for label in ("deactivate", "activate"):
            assert self._peer.change_state(label, NODE), label

    def _picture(self) -> tuple[Image, Image]:
        """A recorded scene as an image, and the mask of a box in its middle."""
        rgb = self._scenes[int(self._rng.integers(len(self._scenes)))].rgb
        mask = np.zeros(rgb.shape[:2], np.uint8)
        mask[160:320, 200:440] = 255
        return to_image(rgb, "rgb8", Header()), to_image(mask, "mono8", Header())


def live(options: argparse.Namespace, process: TestedNode, peer: Peer) -> Kept:
    """Send the frames, let things happen, and return what was seen."""
    names = [f"camera{number}" for number in range(options.cameras)]
    films = {name: Film(peer.node, name) for name in names}
    kept, life = Kept(), Life(peer, films, seed=options.seed, events=options.events)

    def on_mask(message: Image) -> None:
        age = peer.node.get_clock().now() - Time.from_msg(message.header.stamp)
        kept.masks.append((beat.done, age.nanoseconds * 1e-9))

    for name in names:
        peer.node.create_subscription(Image, f"{NODE}/{name}/mask", on_mask, 5)
    peer.wait_until_active(process, NODE)
    events = 0
    with (Beat(lambda number: films[names[number % len(names)]].send(number), options.rate * len(names)) as beat,
          tqdm(total=options.frames, desc="frames", unit="") as bar):
        while beat.done < options.frames:
            life.go_on(events)
            events += 1
            if beat.done > SETTLED or events > len(options.events):
                peer.spin_for(1.0)
            kept.look(process.pid, beat.done)
            bar.update(beat.done - bar.n)
    print(f"{beat.done} frames sent, {len(kept.masks)} answered, {events} events between them")
    return kept


def judge(kept: Kept, log: str) -> dict[str, bool]:
    """Print what was held by tenths, and return whether each bar is met."""
    frames = np.array(kept.frames)
    settled = frames > SETTLED
    ages = np.array([age for at, age in kept.masks if at > SETTLED])
    memory, descriptors, threads = np.array(kept.held)[settled].T
    rows = {"memory [MB]": memory, "file descriptors": descriptors, "threads": threads, "age of results [ms]": 1000 * ages}
    tenths = {name: [float(np.median(part)) for part in np.array_split(values, 10)] for name, values in rows.items()}
    for name, values in tenths.items():
        print(f"{name:<20}" + "".join(f"{value:9.1f}" for value in values))
    first, last = (np.median(part) for part in (rows["memory [MB]"][:10], rows["memory [MB]"][-10:]))
    print(f"memory after {SETTLED} frames {first:.1f} MB, at the end {last:.1f} MB ({last / first:.3f}, bar {GROWTH})")
    complaints = [line for line in log.splitlines() if re.search(r"Traceback|\[ERROR\]|\[FATAL\]", line)]
    for line in complaints[:10]:
        print(f"  {line[:200]}")
    return {"memory": bool(max(last, max(tenths["memory [MB]"])) <= GROWTH * first),
            "file descriptors": tenths["file descriptors"][-1] <= tenths["file descriptors"][0],
            "threads": tenths["threads"][-1] <= tenths["threads"][0],
            "ages": tenths["age of results [ms]"][-1] <= OLDER * tenths["age of results [ms]"][0],
            "log": not complaints}


def main() -> int:
    """Let the node live and print; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=60.0, help="of each camera, in frames per second")
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", nargs="+", choices=Life.EVENTS, default=Life.EVENTS, help="what happens")
    parser.add_argument("--json", type=Path, help="where to keep all that was seen")
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    prefer_large_images()
    names = ", ".join(f"camera{number}" for number in range(options.cameras))
    log = Path(tempfile.mkstemp(prefix="clipseg_soak_", suffix=".log")[1])
    process = TestedNode(log, namespace="/soak", parameters={
        "weights": options.weights, "cameras": f"[{names}]", "max_batch": options.cameras, "memory_size": 5.0,
        "memory_frame": "map", "prompts": "[chair, a cup]"}).start()
    peer = Peer()
    try:
        kept = live(options, process, peer)
    finally:
        status = process.stop()
        peer.close()
    if options.json:
        options.json.write_text(json.dumps(asdict(kept)), encoding="utf-8")
    met = {**judge(kept, log.read_text(errors="replace")), "end": status == 0}
    print("; ".join(f"{name}: {'met' if good else 'MISSED'}" for name, good in met.items()))
    return int(not all(met.values()))


if __name__ == "__main__":
    sys.exit(main())
