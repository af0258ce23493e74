# SPDX-License-Identifier: Apache-2.0
"""Requests whose answer is worked out in the worker's thread, while the executor serves others."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.task import Future

from clipseg_ros.ros.reports import in_short
from clipseg_ros.ros.worker import Worker


async def asked(node: Node, worker: Worker, run: Callable[[], Any]) -> Any:
    """What `run` returns in the worker's thread; raises what it raises, and what `Worker.submit` does."""
    future = Future()

    def finish(answer: Any) -> None:
        future.set_result(answer)
        if node.executor is not None:
            node.executor.wake()

    worker.submit(run, done=finish, failed=finish)
    answer = await future
    if isinstance(answer, Exception):
        raise answer
    return answer


def sentence_for(node: Node, service: str, error: Exception) -> str:
    """What went wrong, for whoever asked; in the log too where it is the node's fault."""
    if isinstance(error, ValueError):
        return in_short(str(error))
    message = in_short(f"the request failed: {type(error).__name__}: {error}")
    node.get_logger().error(f"{service}: {message}")
    return message
