# SPDX-License-Identifier: Apache-2.0
"""Runs a node as a process: start, serve until the end, one sentence for what goes wrong."""
from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from threading import Event
from types import FrameType

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from clipseg_ros.ros.middleware import half_made_ports
from clipseg_ros.ros.reports import Reports, sentence_of

LONGEST_WAIT = 1.0
"""Seconds after which the node looks whether it should end, whatever happens."""

_loading = Event()


def run(make: Callable[[], Node], *, program: str, args: list[str] | None = None) -> int:
    """Make a node and serve it until the process is told to end.

    Parameters
    ----------
    make : makes the node; ValueError, OSError, ImportError and ParameterException are for the user
    program : in front of the sentence about such an error

    Returns
    -------
    the process's exit status
    """
    # Before rclpy's own handlers, which call these after they have ended ROS.
    signal.signal(signal.SIGINT, _on_signal)
    signal.signal(signal.SIGTERM, _on_signal)
    for port in half_made_ports():  # before rclpy, which would neither say nor hear anything while it waits
        print(f"{program}: {port} was left half made by a process that was killed; where this one goes no further, remove "
              "that file", file=sys.stderr, flush=True)
    try:
        with ros(args):
            node = make()
            try:
                spin(node)
            finally:
                # A second Ctrl-C must not cut the cleaning up short.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                node.destroy_node()
    except KeyboardInterrupt:
        pass
    except (ValueError, OSError, ImportError, ParameterException) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def loading_libraries() -> Iterator[None]:
    """While libraries are loaded, Ctrl-C ends the process at once: some would turn it into an error of their own.

    Afterwards Python's search for garbage leaves them out: among PyTorch's 400,000 objects it would now and then hold
    up all threads for 0.2 s, on a busy machine for seconds.
    """
    _loading.set()
    try:
        yield
    finally:
        _loading.clear()
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _loading.is_set():
        os._exit(0)
    if number == signal.SIGINT:
        raise KeyboardInterrupt


@contextlib.contextmanager
def ros(args: list[str] | None = None) -> Iterator[None]:
    """ROS for as long as the context lasts. Whatever breaks because Ctrl-C ended it is a KeyboardInterrupt.

    Raises ValueError for arguments or a parameter file that ROS cannot read.
    """
    try:
        rclpy.init(args=args)
    except RuntimeError as error:  # rclpy's own kinds of error have no public names
        raise ValueError(str(error).partition("\n")[0].partition(", at /")[0]) from error
    try:
        yield
    except Exception as error:
        if rclpy.ok():
            raise
        raise KeyboardInterrupt from error
    finally:
        rclpy.try_shutdown()


def spin(node: Node) -> None:
    """Serve the node until the context is shut down; a message that cannot even be read does not end it."""
    reports = Reports(node.get_logger())
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while rclpy.ok():
        try:
            # The wake-up at the end sometimes gets lost; then it is noticed after a while.
            executor.spin_once(timeout_sec=LONGEST_WAIT)
        except ExternalShutdownException:
            return
        except Exception as error:  # a faulty message must not end the node
            if not rclpy.ok():
                return
            reports.error(f"a message or request could not be handled: {sentence_of(error)}")
