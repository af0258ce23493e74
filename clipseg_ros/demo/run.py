# SPDX-License-Identifier: Apache-2.0
"""The demonstration: the real node, recorded scenes played to it, prompts by topic and service, table and picture."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import rclpy
import rclpy.logging

from clipseg_ros.clipseg.weights import hub
from clipseg_ros.clipseg.weights.checkpoints import DEMO_FILE
from clipseg_ros.demo.boxes import draw_boxes
from clipseg_ros.demo.domains import claim_domain
from clipseg_ros.demo.picture import grid
from clipseg_ros.demo.process import NodeProcess
from clipseg_ros.demo.prompts import Task, plan
from clipseg_ros.demo.scene_camera import SceneCamera, filming
from clipseg_ros.demo.table import Row, intersection_over_union, table
from clipseg_ros.demo.visitor import Result, Visitor
from clipseg_ros.lab.scenes.recorded import load_recorded
from clipseg_ros.lab.scenes.scene import Scene
from clipseg_ros.messages.images import image_to_mask
from clipseg_ros.ros.middleware import prefer_large_images
from clipseg_ros.ros.running import ros

CAMERA = "/camera"
FRAMES = 5
"""Frames whose results are awaited for each prompt; one is shown, the time is their median."""
START_SECONDS = 300.0
"""Loading the published network from a slow disk takes a while."""


class DemoError(Exception):
    """The demonstration cannot go on; the message is one sentence for the user."""


def say(text: str) -> None:
    print(text, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; the process's exit status: 0, 1 after a failure, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="clipseg_demo", description=__doc__)
    parser.add_argument("--weights", metavar="W", help="published, untrained or a path; otherwise the bundled ones")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo.png"), help="the picture that is written")
    options = parser.parse_args(arguments)
    try:
        with contextlib.ExitStack() as stack:
            run(options, stack)
    except KeyboardInterrupt:
        print("interrupted; the node is stopped", file=sys.stderr)
        return 130
    except (DemoError, TimeoutError, ValueError, OSError) as error:
        print(f"clipseg_demo: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace, stack: contextlib.ExitStack) -> None:
    """Everything from start to end; what is started is stopped by `stack`."""
    if not options.output.parent.is_dir():
        raise DemoError(f"the folder {options.output.parent} for the picture does not exist")
    scenes = load_recorded()
    weights = find_weights(options.weights)
    isolate(stack)
    say(f"starting the node with the weights {weights!r} ...")
    process = stack.enter_context(NodeProcess(
        {"weights": weights, "device": options.device, "max_rate": 10.0},
        remappings={topic: f"{CAMERA}/{topic}" for topic in ("image", "depth", "camera_info")}))
    stack.enter_context(ros())
    node = rclpy.create_node("clipseg_demo")
    stack.callback(node.destroy_node)
    visitor = Visitor(node, check=lambda: check_node(process))
    rclpy.logging.set_logger_level(f"{CAMERA.strip('/')}.scene_camera", rclpy.logging.LoggingSeverity.WARN)
    camera = stack.enter_context(filming(namespace=CAMERA, parameters={
        "dwell": 0.0, "noise": 0.0, "depth_noise": 0.0, "depth_dropout": 0.0}))
    visitor.wait(lambda: node.count_subscribers(f"{CAMERA}/image") > 0, "the node", seconds=START_SECONDS)
    say(f"the node is active; playing recorded scenes to {CAMERA}/image, {CAMERA}/depth and {CAMERA}/camera_info")
    findings = [find(task, camera, visitor) for task in plan(scenes)]
    report(findings, scenes, trained=weights != "untrained")
    ask_all(findings[-1][0], scenes, camera, visitor)
    write_picture(options.output, findings, scenes)


def find_weights(wanted: str | None) -> str:
    """The weights that the node is started with; published ones are fetched here, where the progress can be seen."""
    if wanted:
        release = hub.find_release(wanted)
        if release is not None:
            say(f"looking for the weights {wanted!r} in the local cache, then on the hub ...")
            hub.obtain(release, allow_download=True)
        elif wanted not in ("demo", "untrained") and not Path(wanted).expanduser().exists():
            raise DemoError(f"there are no weights {wanted!r}: it is no file or folder and no known name")
        return wanted if release or wanted in ("demo", "untrained") else str(Path(wanted).expanduser().absolute())
    if DEMO_FILE.is_file():
        return "demo"
    say("No trained weights are bundled: a small UNTRAINED network is used. Everything runs as it would, "
        "but the masks and scores mean nothing. `make demo WEIGHTS=published` uses the authors' weights.")
    return "untrained"


def isolate(stack: contextlib.ExitStack) -> None:
    """Keep away from robots: a ROS domain of our own, on this machine only, unless the user chose one.

    Images go through enough shared memory, as with the launch file.
    """
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    prefer_large_images()
    if "ROS_DOMAIN_ID" not in os.environ:
        domain, held = claim_domain()
        stack.enter_context(held)
        os.environ["ROS_DOMAIN_ID"] = str(domain)
    say(f"ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']} (to look on with ROS tools)")


def check_node(process: NodeProcess) -> None:
    """DemoError when the node has ended or could not be configured."""
    if process.ended or "cannot be configured" in process.last_words:
        raise DemoError(f"the node does not run: {process.last_words} (all of its log: {process.log_file})")


def find(task: Task, camera: SceneCamera, visitor: Visitor) -> tuple[Task, Row, Result]:
    """One prompt on one scene, as the node's topics answer it."""
    camera.show(task.scene)
    say(f"/clipseg/prompt <- {task.text!r}")
    results = visitor.look_for(task.text, frames=FRAMES)
    # On a busy machine a depth image may be lost on the way.
    last = next((result for result in reversed(results) if is_located(result)), results[-1])
    best = last.objects.objects[0] if last.objects.objects else None
    point = best.pose.pose.position if best else None
    return task, Row(
        task.text,
        score=last.objects.scores[0],
        iou=intersection_over_union(last.mask, task.truth),
        pixel=(best.centroid_u, best.centroid_v) if best else (math.nan,) * 2,
        position=(point.x, point.y, point.z) if point else (math.nan,) * 3,
        milliseconds=1000 * median(result.seconds for result in results),
    ), last


def is_located(result: Result) -> bool:
    """Whether the best region, if there is one, has a pose."""
    return not result.objects.objects or result.objects.objects[0].has_pose


def report(findings: Sequence[tuple[Task, Row, Result]], scenes: Sequence[Scene], *, trained: bool) -> None:
    height, width = scenes[0].rgb.shape[:2]
    say(f"\n{table([row for _, row, _ in findings])}\n")
    say(f"ms: from the publication of a {width}x{height} image to its result, median of {FRAMES} frames")
    if not trained:
        say("The network is UNTRAINED: these scores and regions mean nothing.")


def ask_all(last: Task, scenes: Sequence[Scene], camera: SceneCamera, visitor: Visitor) -> None:
    """All prompts at once through the service, on the scene that is shown."""
    texts = [task.text for task in plan(scenes)]
    camera.show(last.scene)
    answer = visitor.ask(texts)
    if not answer.success:
        raise DemoError(f"/clipseg/segment refused: {answer.message}")
    shares = [f"{100 * image_to_mask(mask).mean():.1f}%" for mask in answer.masks]
    found = ", ".join(f"{text}: {share}" for text, share in zip(texts, shares, strict=True))
    say(f"/clipseg/segment: {len(texts)} prompts on the newest image in {1000 * answer.duration:.0f} ms "
        f"(share of the image: {found})")


def write_picture(path: Path, findings: Sequence[tuple[Task, Row, Result]], scenes: Sequence[Scene]) -> None:
    """A row per scene: the camera's picture, then the overlay of each prompt with the boxes of its objects."""
    rows: dict[int, list[tuple[str, np.ndarray]]] = {}
    for task, row, result in findings:
        line = rows.setdefault(task.scene, [("the camera's image", scenes[task.scene].rgb)])
        iou = "" if math.isnan(row.iou) else f", IoU {row.iou:.2f}"
        picture = draw_boxes(result.overlay, result.objects.objects, scenes[task.scene].k)
        line.append((f'"{task.text}": score {row.score:.2f}{iou}{_distance(row)}', picture))
    if not cv2.imwrite(str(path), cv2.cvtColor(grid(list(rows.values())), cv2.COLOR_RGB2BGR)):
        raise DemoError(f"the picture {path} cannot be written")
    say(f"picture: {path.absolute()}")


def _distance(row: Row) -> str:
    distance = math.hypot(*row.position)
    return "" if math.isnan(distance) else f", {distance:.2f} m"


if __name__ == "__main__":
    sys.exit(main())
