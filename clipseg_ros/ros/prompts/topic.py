# SPDX-License-Identifier: Apache-2.0
"""The prompt topic, heard from every kind of publisher, each message once, the newest last."""
from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from std_msgs.msg import String

from clipseg_ros.ros.inputs.subscription import SubscriptionEventCallbacks

_DEPTH = 10
_LIVE = QoSProfile(depth=_DEPTH)
_KEPT = QoSProfile(depth=_DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_BEST_EFFORT = QoSProfile(depth=_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)


class PromptTopic:
    """Listens with up to three subscriptions, because no single one hears every kind of publisher in full.

    A reliable, volatile one matches ordinary publishers but gets nothing that was sent before it was made. A transient
    local one gets a latched prompt sent earlier, but never matches an ordinary publisher and makes that one warn; a best
    effort one hears those that the reliable one cannot. So the last two are there only while such a publisher is.

    A message that several deliver is recognised by the time at which it was sent, also after the subscriptions were
    made anew. What a latched publisher kept may come after newer prompts and counts only if it is the newest.

    Parameters
    ----------
    callback : called with the text of each prompt message
    """

    def __init__(self, node: Node, topic: str, callback: Callable[[str], None]) -> None:
        self._node = node
        self._topic = topic
        self._callback = callback
        self._seen: deque[int] = deque(maxlen=64)
        self._subscriptions: dict[str, Subscription] = {}

    def start(self) -> None:
        """Begin to listen."""
        self._listen("live", True, _LIVE, self._hear)
        self.check()

    def check(self) -> None:
        """Listen to the other kinds of publishers where there are any. Call it now and again."""
        offers = [other.qos_profile for other in self._node.get_publishers_info_by_topic(self._topic)]
        kept = any(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
        self._listen("kept", kept, _KEPT, self._hear_kept)
        unsure = any(offer.reliability == ReliabilityPolicy.BEST_EFFORT for offer in offers)
        self._listen("best effort", unsure, _BEST_EFFORT, self._hear)

    def stop(self) -> None:
        """Stop listening."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.popitem()[1])

    def forget(self) -> None:
        """Take latched prompts again that were taken before, as a node that was just started would."""
        self._seen.clear()

    def _listen(self, kind: str, wanted: bool, qos: QoSProfile, hear: Callable[[String, dict], None]) -> None:
        if not wanted and kind in self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop(kind))
        elif wanted and kind not in self._subscriptions:
            # Humble passes no message info; a message heard twice there only sets the same prompts twice.
            callback = hear if hasattr(Subscription, "CallbackType") else self._hear_message
            self._subscriptions[kind] = self._node.create_subscription(
                String, self._topic, callback, qos,
                event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False))

    def _hear_message(self, message: String) -> None:
        self._callback(message.data)

    def _hear_kept(self, message: String, info: dict) -> None:
        """Take what was kept for late subscriptions, unless something newer was heard."""
        if info["source_timestamp"] > max(self._seen, default=-1):
            self._hear(message, info)

    def _hear(self, message: String, info: dict) -> None:
        sent = info["source_timestamp"]
        if sent in self._seen:
            return
        self._seen.append(sent)
        self._callback(message.data)
