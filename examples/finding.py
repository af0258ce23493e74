# SPDX-License-Identifier: Apache-2.0
"""Asks a running clipseg node to find something, and tells others: what both examples have in common."""
from __future__ import annotations

import time
from typing import Any

import rclpy
from rclpy.action import ActionClient
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher

from clipseg_ros.action import Find


def find(node: Node, **goal) -> Find.Result:
    """The result of a goal of ~/find; its feedback goes to the log. RuntimeError where no node answers."""
    client = ActionClient(node, Find, "clipseg/find")
    if not client.wait_for_server(timeout_sec=10.0):
        raise RuntimeError("nobody offers clipseg/find; start `ros2 launch clipseg_ros clipseg.launch.py`")
    sent = client.send_goal_async(Find.Goal(**goal), lambda told: node.get_logger().info(told.feedback.note))
    rclpy.spin_until_future_complete(node, sent)
    asked = sent.result().get_result_async()
    rclpy.spin_until_future_complete(node, asked)
    result = asked.result().result
    node.get_logger().info(result.message)
    client.destroy()
    return result


def tell(node: Node, publisher: Publisher, message: Any, *, patience: float = 5.0) -> None:
    """Publish once somebody listens, or after so many seconds, and wait for it to arrive: this program ends soon."""
    deadline = time.monotonic() + patience
    while publisher.get_subscription_count() == 0 and time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.1)
    publisher.publish(message)
    publisher.wait_for_all_acked(Duration(seconds=patience))
