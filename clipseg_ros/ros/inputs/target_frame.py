# SPDX-License-Identifier: Apache-2.0
"""Where the camera was, in the frame that results are wanted in, when it took an image."""
from __future__ import annotations

import importlib
import math
import threading
import time
import weakref
from types import ModuleType

from geometry_msgs.msg import TransformStamped
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from clipseg_ros.perception.transforms import Transform

POLL = 0.005
"""Seconds between two looks for a transform that has not arrived yet."""
JUMP = 1.0
"""A simulated clock that goes back by more seconds than this starts anew."""


class TargetFrame:
    """Listens to the transforms between frames and looks up the one to `frame` at an image's stamp.

    The node's executor receives the transforms; another thread may wait for one with `lookup` meanwhile.

    Parameters
    ----------
    node : that is to listen to /tf and /tf_static
    frame : the target frame
    timeout : seconds for which `lookup` waits for a transform that has not arrived yet; 0 does not wait

    Raises
    ------
    ValueError
        If the frame is empty or starts with a slash, the timeout is negative or not finite, or tf2_ros, which is
        optional, is not installed.
    """

    def __init__(self, node: Node, frame: str, *, timeout: float) -> None:
        _check(frame, timeout)
        self.frame = frame
        self._timeout = timeout
        self._tf2 = _import_tf2(frame)
        self._closed = threading.Event()
        self._buffer = buffer = self._tf2.Buffer()
        self._listener = self._tf2.TransformListener(buffer, node, spin_thread=False)
        # Otherwise the transforms of a recording that is played again would be refused as outdated; not every
        # distribution's buffer does it by itself.
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-JUMP), on_clock_change=True)
        jumps = node.get_clock().create_jump_callback(threshold, post_callback=lambda _jump: buffer.clear())
        # The clock does not keep what it calls alive, and would call it after its end.
        self._ignore_jumps = weakref.finalize(self, jumps.unregister)

    def lookup(self, header: Header) -> Transform:
        """From the header's frame to the target frame at the header's stamp, never at another time.

        To be called from another thread than the one that runs the node's executor: no transform arrives while that
        one waits. The time waited is real time, also while a simulated clock stands still.

        Raises
        ------
        ValueError
            If there is no such transform, with the reason that tf2 gives, or the header lacks a frame or a stamp.
        """
        if not header.frame_id:
            raise ValueError(f"the image has no frame_id, so nothing can be transformed to {self.frame}; its camera "
                             "must name its optical frame")
        source = header.frame_id.lstrip("/")  # as ROS 1 wrote it
        if source == self.frame:
            return Transform.identity()
        if (header.stamp.sec, header.stamp.nanosec) <= (0, 0):
            # tf2 takes 0 for "the latest".
            raise ValueError(f"the image has the stamp {header.stamp.sec}.{header.stamp.nanosec:09d}, so it cannot be "
                             f"told where {header.frame_id} was in {self.frame}; its camera must stamp it")
        return self._wait(source, Time.from_msg(header.stamp))

    def destroy(self) -> None:
        """Stop listening; a `lookup` that waits gives up."""
        self._closed.set()
        self._listener.unregister()
        self._ignore_jumps()

    def _wait(self, source: str, stamp: Time) -> Transform:
        # tf2's own wait goes by the time of day, which may be set meanwhile.
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return _to_transform(self._buffer.lookup_transform(self.frame, source, stamp))
            except self._tf2.TransformException as error:
                rest = deadline - time.monotonic()
                if rest <= 0 or self._closed.wait(min(rest, POLL)):
                    reason = " ".join(str(error).split()) or type(error).__name__
                    raise ValueError(f"{source} cannot be transformed to {self.frame}: {reason}") from None


def _check(frame: str, timeout: float) -> None:
    if not frame or frame.startswith("/"):
        raise ValueError(f"the target frame is {frame!r}; it must be the name of a frame, without a slash in front")
    if not 0 <= timeout < math.inf:
        raise ValueError(f"the timeout of the target frame is {timeout:g} s; it must be 0 or more, and finite")


def _import_tf2(frame: str) -> ModuleType:
    try:
        return importlib.import_module("tf2_ros")
    except ImportError as error:
        raise ValueError(f"the target frame is {frame}, but tf2_ros cannot be imported ({error}); install it with "
                         "`sudo apt install ros-$ROS_DISTRO-tf2-ros-py`, or leave target_frame empty") from None


def _to_transform(stamped: TransformStamped) -> Transform:
    shift, turn = stamped.transform.translation, stamped.transform.rotation
    return Transform.from_quaternion((shift.x, shift.y, shift.z), (turn.x, turn.y, turn.z, turn.w))
