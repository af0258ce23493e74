# SPDX-License-Identifier: Apache-2.0
"""Runs a node as a process: start, serve until the end, one sentence for what goes wrong."""
from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from clipseg_ros.ros.reports import Reports, sentence_of

LONGEST_WAIT = 1.0
"""Seconds after which the node looks whether it should end, whatever happens."""


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
    try:
        rclpy.init(args=args)
        node = make()
        try:
            spin(node)
        finally:
            # A second Ctrl-C must not cut the cleaning up short.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            node.destroy_node()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ValueError, OSError, ImportError, ParameterException) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


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
            reports.error(f"a message or request could not be handled: {sentence_of(error)}")
