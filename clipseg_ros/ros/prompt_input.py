# SPDX-License-Identifier: Apache-2.0
"""The prompt topic, heard from ordinary and from latched publishers, each message once."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription
from std_msgs.msg import String

from clipseg_ros.ros.adaptive_subscription import SubscriptionEventCallbacks

_DEPTH = 10


class PromptInput:
    """Listens with two subscriptions, because no single one hears both kinds of publishers in full.

    A volatile subscription matches every publisher but gets nothing that was sent before it was made. A transient
    local one gets a latched prompt sent earlier, but never matches an ordinary publisher and makes that one warn; so
    there is one only while a latched publisher is there. A message that both deliver is recognised by the time at
    which it was sent, also after the subscriptions were made anew.

    Parameters
    ----------
    callback : called with the text of each prompt message
    """

    def __init__(self, node: Node, topic: str, callback: Callable[[str], None]) -> None:
        self._node = node
        self._topic = topic
        self._callback = callback
        self._seen: deque[object] = deque(maxlen=64)
        self._ordinary: Subscription | None = None
        self._latched: Subscription | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._ordinary = self._subscribe(DurabilityPolicy.VOLATILE)
        self.check()

    def check(self) -> None:
        """Listen to latched publishers where there are any. Call it now and again."""
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        latched = any(other.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for other in publishers)
        if latched and self._latched is None:
            self._latched = self._subscribe(DurabilityPolicy.TRANSIENT_LOCAL)
        elif not latched and self._latched is not None:
            self._node.destroy_subscription(self._latched)
            self._latched = None

    def stop(self) -> None:
        """Stop listening."""
        for subscription in (self._ordinary, self._latched):
            if subscription is not None:
                self._node.destroy_subscription(subscription)
        self._ordinary = self._latched = None

    def forget(self) -> None:
        """Take latched prompts again that were taken before, as a node that was just started would."""
        self._seen.clear()

    def _subscribe(self, durability: DurabilityPolicy) -> Subscription:
        # Humble passes no message info; a message heard twice there only sets the same prompts twice.
        callback = self._hear if hasattr(Subscription, "CallbackType") else self._hear_message
        return self._node.create_subscription(
            String, self._topic, callback, QoSProfile(depth=_DEPTH, durability=durability),
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False))

    def _hear_message(self, message: String) -> None:
        self._callback(message.data)

    def _hear(self, message: String, info: dict) -> None:
        sent = info["source_timestamp"]
        if sent in self._seen:
            return
        self._seen.append(sent)
        self._callback(message.data)
