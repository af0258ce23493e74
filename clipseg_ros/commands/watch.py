# SPDX-License-Identifier: Apache-2.0
"""`clipseg watch`: what a running node finds, live in the terminal. Also how the commands reach a node."""

from __future__ import annotations

import argparse
import math
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from clipseg_ros.commands.arguments import seconds

HELP = "Show live what a running node finds: prompts, numbers, scores, places in pixels and in metres."

HEADINGS = ("PROMPT", "ID", "SCORE", "AREA px", "AT px", "METRES x y z", "AGE s")
_STAMP = "STAMP s"

_TICK = 0.1
"""Seconds between two looks at what has arrived, and at least between two pictures on a terminal."""

_PLAUSIBLE_AGE = 3600.0
"""Seconds; an older stamp is of another clock than this machine's: a simulated or a recorded one."""

_NAME = r"[A-Za-z_]\w*"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `clipseg watch`."""
    add_node_arguments(parser)


def add_node_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which node and camera is meant, and how long it is waited for."""
    parser.add_argument("--node", type=_node_name, default="/clipseg", metavar="NAME",
                        help="the node, with its namespace (default: /clipseg)")
    parser.add_argument("--camera", type=_camera_name, default="", metavar="NAME",
                        help="one of the node's cameras, where it has several")
    parser.add_argument("--wait", type=seconds, default=5.0, metavar="SECONDS",
                        help="how long the node may take to appear (default: 5)")


def run(args: argparse.Namespace) -> int:
    """Show results until Ctrl-C, then return 0. ImportError without ROS 2, TimeoutError without the node."""
    try:
        with visit() as visitor:
            _watch(visitor, args)
    except KeyboardInterrupt:
        pass
    return 0


def _watch(visitor: Visitor, args: argparse.Namespace) -> None:
    from rclpy.qos import QoSProfile

    from clipseg_ros.msg import SegmentedObjectArray

    topic = "/".join(filter(None, (args.node, args.camera, "objects")))
    if not visitor.wait(lambda: visitor.node.count_publishers(topic) > 0, seconds=args.wait):
        raise TimeoutError(_why_no_objects(visitor, args))
    display = Screen(sys.stdout) if _is_screen(sys.stdout) else Lines(sys.stdout)
    result: Result | None = None

    def take(message: SegmentedObjectArray) -> None:
        nonlocal result
        result = Result(message, now=visitor.node.get_clock().now().nanoseconds * 1e-9)
        display.take(result)

    visitor.node.create_subscription(SegmentedObjectArray, topic, take, QoSProfile(depth=1))
    while True:
        visitor.spin()
        display.refresh(f"{topic}: {_state(result, present=visitor.node.count_publishers(topic) > 0)}", result)


def _state(result: Result | None, *, present: bool) -> str:
    """The line above the table."""
    if not present:
        return "the node has gone; waiting for it"
    if result is None:
        return "no image has been processed yet; does one arrive? The node's log says so"
    message = result.message
    if not message.prompts:
        return "there is no prompt; send one on the topic ~/prompt of the node"
    frame = message.pose_frame_id or message.header.frame_id
    return f"{len(message.objects)} found" + (f", metres in {printable(frame)}" if frame else "")


class Result:
    """One message of ~/objects, and when it arrived.

    now : seconds of the clock that a camera's stamps are expected to be of
    """

    def __init__(self, message: Any, *, now: float) -> None:
        self.message = message
        self.stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        age = now - self.stamp
        self._arrived = time.monotonic() - (age if abs(age) < _PLAUSIBLE_AGE else 0.0)

    @property
    def age(self) -> float:
        """Seconds since the image's stamp; since its arrival where that is of another clock."""
        return max(0.0, time.monotonic() - self._arrived)

    def rows(self) -> list[tuple[str, ...]]:
        """The cells below `HEADINGS`."""
        age = f"{self.age:.1f}"
        return [(*row, age) for row in object_rows(self.message)]


def object_rows(found: Any) -> list[tuple[str, ...]]:
    """The cells below `HEADINGS` but the last: a row an object, and one for a prompt without any.

    found : a SegmentedObjectArray, or the answer of ~/segment
    """
    rows = []
    for index, prompt in enumerate(found.prompts):
        objects = [one for one in found.objects if one.prompt_index == index]
        rows += [(printable(prompt), str(one.track_id or "-"), f"{one.score:.2f}", str(one.area),
                  f"({one.centroid_u:.0f}, {one.centroid_v:.0f})", _metres(one)) for one in objects]
        if not objects:
            rows.append((printable(prompt), "-", f"{found.scores[index]:.2f}", "-", "-", "-"))
    return rows


def _metres(one: Any) -> str:
    point = one.pose.pose.position
    if not one.has_pose or math.isnan(point.x):
        return "-"
    return " ".join(f"{value:.2f}" for value in (point.x, point.y, point.z))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns, the first one to the left and the others to the right."""
    cells = [headings, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
            for row in cells]


def printable(text: str) -> str:
    """The text without characters that would move the cursor or break the line."""
    return "".join(character if character.isprintable() else "?" for character in text)


class Screen:
    """A terminal: one picture of the newest result, drawn over the one before."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn = 0
        self._next = 0.0

    def take(self, result: Result) -> None:
        """A result arrived; the next picture shows it."""

    def refresh(self, title: str, result: Result | None) -> None:
        """Draw, unless that was done a moment ago."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _TICK
        lines = [title, *(table(HEADINGS, result.rows()) if result and result.message.prompts else ())]
        height = max(3, shutil.get_terminal_size().lines)
        if len(lines) >= height:
            lines[height - 2:] = [f"... and {len(lines) - height + 2} more"]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        # Without wrapping, a line too long for the terminal is one line all the same.
        self._stream.write(f"\x1b[?7l{up}\r" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J\x1b[?7h")
        self._stream.flush()
        self._drawn = len(lines)


class Lines:
    """A file or another program: every result, a line an object, its cells separated by tabs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        print(_STAMP, *HEADINGS, sep="\t", file=stream, flush=True)

    def take(self, result: Result) -> None:
        """A result arrived."""
        for row in result.rows():
            print(f"{result.stamp:.3f}", *row, sep="\t", file=self._stream)
        self._stream.flush()

    def refresh(self, title: str, result: Result | None) -> None:
        """Nothing: what was printed stays."""


def _is_screen(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Visitor:
    """A node of this process's own that talks to the running one.

    node : an rclpy Node; spun only here
    """

    def __init__(self, node: Any, executor: Any) -> None:
        self.node = node
        self._executor = executor
        executor.add_node(node)

    def spin(self) -> None:
        """Serve what has arrived, or wait for it a moment."""
        self._executor.spin_once(timeout_sec=_TICK)

    def wait(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """Whether the condition comes true within so many seconds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self.spin()
        return True

    def absent(self, name: str, *, seconds: float) -> str:
        """What to say of a node that is not there, with those that are."""
        others = sorted(service.removesuffix("/segment")
                        for service, types in self.node.get_service_names_and_types()
                        if "clipseg_ros/srv/Segment" in types and service.endswith("/segment")
                        and self.node.count_services(service))  # a service that is only asked for is listed as well
        if name in others:
            return f"the node {name} is there but was not ready within {seconds:g} s; try again with a longer --wait"
        cure = (f"name one that is there: {', '.join(f'--node {other}' for other in others)}" if others else
                "start it with `ros2 launch clipseg_ros clipseg.launch.py`, or name yours with --node")
        return (f"no node {name} appeared within {seconds:g} s (ROS_DOMAIN_ID {os.environ.get('ROS_DOMAIN_ID') or 0}); "
                f"{cure}")


@contextmanager
def visit() -> Iterator[Visitor]:
    """Join ROS 2, and leave it afterwards. ImportError, with a sentence, where it is not on this machine."""
    require_ros()
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from clipseg_ros.ros.middleware import prefer_large_images

    prefer_large_images()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)  # so Ctrl-C stays a KeyboardInterrupt
    try:
        node = rclpy.create_node(f"clipseg_visitor_{os.getpid()}", enable_rosout=False, start_parameter_services=False)
        executor = SingleThreadedExecutor()
        try:
            yield Visitor(node, executor)
        finally:
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def require_ros() -> None:
    """Raise ImportError, with a sentence, where rclpy or this package's messages cannot be imported."""
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        raise ImportError(f"this talks to a running node and needs ROS 2's rclpy ({_first_line(error)}); source "
                          "ROS 2's setup.bash, or run `make build` and source .venv/setup.bash") from error
    try:
        import clipseg_ros.msg  # noqa: F401
        import clipseg_ros.srv  # noqa: F401
    except ImportError as error:
        raise ImportError(f"this package's messages are missing ({_first_line(error)}); build it with colcon in a ROS "
                          "workspace and source install/setup.bash") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _why_no_objects(visitor: Visitor, args: argparse.Namespace) -> str:
    """Why nobody publishes the topic: no node, no such camera, or a node that is not configured."""
    if not visitor.node.count_services(f"{args.node}/segment"):
        return visitor.absent(args.node, seconds=args.wait)
    match = re.compile(f"{re.escape(args.node)}/(?:({_NAME})/)?objects").fullmatch
    found = [match(topic) for topic, types in visitor.node.get_topic_names_and_types()
             if "clipseg_ros/msg/SegmentedObjectArray" in types and visitor.node.count_publishers(topic)]
    cameras = sorted(one[1] or "" for one in found if one)
    if not cameras:
        return (f"the node {args.node} is there but publishes nothing: it still loads its weights or is not "
                f"configured; its log and `ros2 lifecycle get {args.node}` say which")
    if cameras == [""]:
        return f"the node {args.node} has one camera only; leave out --camera {args.camera}"
    asked = f"no camera {args.camera!r}" if args.camera else "several cameras"
    return f"the node {args.node} has {asked}; choose one with --camera: {', '.join(filter(None, cameras))}"


def _node_name(text: str) -> str:
    name = "/" + text.strip("/")
    if not re.fullmatch(f"(/{_NAME})+", name):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a node; /clipseg and /robot/clipseg are")
    return name


def _camera_name(text: str) -> str:
    if text and not re.fullmatch(_NAME, text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a camera; names are letters, digits and _")
    return text
