# SPDX-License-Identifier: Apache-2.0
"""Other nodes of one's own full name, which ROS 2 allows although nobody can tell them apart."""
from __future__ import annotations

from rclpy.node import Node


class Namesakes:
    """Looks for them in the graph."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known = 0

    def check(self) -> str:
        """What is wrong; empty while there are none. The log says it when one appears. Call it now and again."""
        own = self._node.get_name(), self._node.get_namespace()
        known, self._known = self._known, max(self._node.get_node_names_and_namespaces().count(own) - 1, 0)
        if not self._known:
            return ""
        sentence = (f"another node is called {self._node.get_fully_qualified_name()} too, or was until it was killed a "
                    "moment ago: results, services and parameters of both get mixed up; start one of them with "
                    "namespace:=NAME (ros2 launch) or -r __ns:=/NAME")
        if self._known > known:
            self._node.get_logger().warning(sentence)
        return sentence
