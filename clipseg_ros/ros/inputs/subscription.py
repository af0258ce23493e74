# SPDX-License-Identifier: Apache-2.0
"""A subscription whose reliability and durability follow the publishers."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QosCallbackResult, QoSOverridingOptions

from clipseg_ros.ros.reports import Reports

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

# Humble lacks the first of each.
FOLLOW = getattr(ReliabilityPolicy, "BEST_AVAILABLE", ReliabilityPolicy.SYSTEM_DEFAULT)
FOLLOW_DURABILITY = getattr(DurabilityPolicy, "BEST_AVAILABLE", DurabilityPolicy.SYSTEM_DEFAULT)
"""The values of the QoS overrides `reliability` and `durability` that mean: follow the publishers."""

_OVERRIDABLE = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY)


class AdaptiveSubscription:
    """Reliable and transient local when every publisher offers it, else best effort and volatile; settled anew at each
    `check`.

    A fixed best effort loses large images on some middlewares, a fixed reliable never hears a best effort camera, a
    volatile one never a calibration or a still image that was published once, latched, before.
    The parameters `qos_overrides.<topic>.subscription.{reliability,durability,history,depth}` override it; with a
    fixed reliability, a publisher that cannot be heard is reported.

    Parameters
    ----------
    node, message_type, topic, callback : as for `Node.create_subscription`
    reports : where a mismatch is reported
    type_hint : the parameter that decides which type is listened to, for people; empty if none does
    depth : messages that may wait for the callback; of more the newest
    """

    def __init__(self, node: Node, message_type: type, topic: str, callback: Callable[[Any], None], *,
                 reports: Reports, type_hint: str = "", depth: int = 1) -> None:
        self._node = node
        self._type = message_type
        self._topic = topic
        self._callback = callback
        self._reports = reports
        self._type_hint = type_hint
        self._depth = depth
        self._offered = _common(self._publishers())
        self._follows = (True, True)
        self._qos = QoSProfile(depth=depth)
        self._subscription = self._subscribe()

    @property
    def topic(self) -> str:
        """The topic's full name, remapping included."""
        return self._subscription.topic_name

    @property
    def reliable(self) -> bool:
        """Whether the subscription asks for reliable delivery now."""
        return self._qos.reliability == ReliabilityPolicy.RELIABLE

    def check(self) -> int:
        """Settle anew and report who cannot be heard; return the number of publishers. Call it now and again."""
        publishers = self._publishers()
        offered = _common(publishers)
        changed = [one != other and follows for one, other, follows in zip(offered, self._offered, self._follows)]
        if publishers and any(changed):
            self._offered = offered
            self.destroy()
            self._subscription = self._subscribe()
            kinds = " and ".join(policy.name.lower().replace("_", " ") for policy in offered)
            self._node.get_logger().info(f"{self.topic}: listening {kinds} now, as its publishers offer")
        for publisher in publishers:
            self._report(publisher)
        return len(publishers)

    def destroy(self) -> None:
        """Stop listening."""
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self):
        self._qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=self._depth, reliability=FOLLOW,
                               durability=FOLLOW_DURABILITY)
        return self._node.create_subscription(
            self._type, self._topic, self._callback, self._qos,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
            qos_overriding_options=QoSOverridingOptions(_OVERRIDABLE, callback=self._settle))

    def _settle(self, qos: QoSProfile) -> QosCallbackResult:
        """Put what the publishers offer where no override says otherwise; rclpy calls this after the overrides."""
        self._follows = qos.reliability == FOLLOW, qos.durability == FOLLOW_DURABILITY
        if self._follows[0]:
            qos.reliability = self._offered[0]
        if self._follows[1]:
            qos.durability = self._offered[1]
        return QosCallbackResult(successful=True)

    def _publishers(self) -> list:
        return self._node.get_publishers_info_by_topic(self._topic)

    def _report(self, publisher) -> None:
        ours = f"{self._type.__module__.split('.')[0]}/msg/{self._type.__name__}"
        if publisher.topic_type != ours:
            self._reports.warn(f"{self.topic}: {publisher.node_name} publishes {publisher.topic_type}, which cannot be "
                               f"heard here; {ours} is needed"
                               + (f" (see the parameter {self._type_hint})" if self._type_hint else ""))
        elif self.reliable and publisher.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT:
            self._reports.warn(f"{self.topic}: {publisher.node_name} publishes best effort and cannot be heard, "
                               "because an override asks for reliable; make it best_available or best_effort")
        elif (self._qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
              and publisher.qos_profile.durability == DurabilityPolicy.VOLATILE):
            self._reports.warn(f"{self.topic}: {publisher.node_name} publishes volatile and cannot be heard, because "
                               "an override asks for transient_local; make it volatile")


def _common(publishers: list) -> tuple[ReliabilityPolicy, DurabilityPolicy]:
    """The most that all publishers offer; reliable and volatile where there is none yet."""
    offers = [publisher.qos_profile for publisher in publishers]
    sure = all(offer.reliability != ReliabilityPolicy.BEST_EFFORT for offer in offers)
    kept = bool(offers) and all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
    return (ReliabilityPolicy.RELIABLE if sure else ReliabilityPolicy.BEST_EFFORT,
            DurabilityPolicy.TRANSIENT_LOCAL if kept else DurabilityPolicy.VOLATILE)
