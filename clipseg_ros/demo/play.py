# SPDX-License-Identifier: Apache-2.0
"""`make play`: the simulated camera, the real node, and the page in a browser on which a person tries prompts."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from functools import partial

import rclpy
import rclpy.logging
from rclpy.exceptions import ParameterException

from clipseg_ros.demo.process import NodeProcess, ros_arguments
from clipseg_ros.demo.run import CAMERA, DemoError, find_weights, isolate, say
from clipseg_ros.demo.scene_camera import MODES, filming
from clipseg_ros.lab.datasets.folder import FolderWriter
from clipseg_ros.ros.running import ros, spin
from clipseg_ros.web.node import WebNode
from clipseg_ros.web.page import PORT

TOPICS = {topic: f"{CAMERA}/{topic}" for topic in ("image", "depth", "camera_info")}
CHECK_PERIOD = 1.0
"""Seconds between two looks whether the node still runs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Play until Ctrl-C; the process's exit status: 0, or 1 after a failure."""
    parser = argparse.ArgumentParser(prog="clipseg_play", description=__doc__)
    parser.add_argument("--weights", metavar="W", help="published, untrained or a path; otherwise the bundled ones")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--mode", default="recorded", choices=MODES,
                        help="recorded scenes in turn, a rendered one, or one from a moving camera; the last two need "
                             "MuJoCo and the furniture package")
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help=f"port of the page, 0 for any ({PORT})")
    options = parser.parse_args(arguments)
    try:
        with contextlib.ExitStack() as stack:
            play(options, stack)
    except KeyboardInterrupt:
        return 0
    except (DemoError, ValueError, OSError, ImportError, ParameterException) as error:
        print(f"clipseg_play: {error}", file=sys.stderr)
        return 1
    return 0


def play(options: argparse.Namespace, stack: contextlib.ExitStack) -> None:
    """Everything from start to end; what is started is stopped by `stack`."""
    weights = find_weights(options.weights)
    isolate(stack)
    say(f"starting the node with the weights {weights!r} ...")
    process = stack.enter_context(NodeProcess({"weights": weights, "device": options.device, "max_rate": 10.0},
                                              remappings=TOPICS))
    stack.enter_context(ros())
    rclpy.logging.set_logger_level(f"{CAMERA.strip('/')}.scene_camera", rclpy.logging.LoggingSeverity.WARN)
    stack.enter_context(filming(namespace=CAMERA, parameters={"mode": options.mode}))
    page = WebNode(partial(FolderWriter, append=True), cli_args=list(ros_arguments({"port": options.port}, TOPICS)))
    stack.callback(page.destroy_node)
    failures: list[str] = []

    def look() -> None:
        if process.ended:
            failures.append(f"the node has ended: {process.last_words} (all of its log: {process.log_file})")
            rclpy.try_shutdown()
    page.create_timer(CHECK_PERIOD, look)
    with contextlib.suppress(KeyboardInterrupt):  # a good end, after which the node's log is not needed
        spin(page)
    if failures:
        raise DemoError(failures[0])


if __name__ == "__main__":
    sys.exit(main())
