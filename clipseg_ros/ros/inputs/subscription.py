# SPDX-License-Identifier: Apache-2.0
"""A subscription whose reliability follows the publishers."""
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

FOLLOW = getattr(ReliabilityPolicy, "BEST_AVAILABLE", ReliabilityPolicy.SYSTEM_DEFAULT)  # Humble lacks the first
"""The value of the QoS override `reliability` that means: follow the publishers."""

_OVERRIDABLE = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY)


class AdaptiveSubscription:
    """Reliable when every publisher offers it, best effort when one does not, settled anew at each `check`.

    A fixed best effort loses large images on some middlewares, a fixed reliable never hears a best effort camera.
    The parameters `qos_overrides.<topic>.subscription.{reliability,durability,history,depth}` override it; with a
    fixed reliability, a publisher that cannot be heard is reported.

    Parameters
    ----------
    node, message_type, topic, callback : as for `Node.create_subscription`
    reports : where a mismatch is reported
    type_hint : the parameter that decides which type is listened to, for people; empty if none does
    """

    def __init__(self, node: Node, message_type: type, topic: str, callback: Callable[[Any], None], *,
                 reports: Reports, type_hint: str = "") -> None:
        self._node = node
        self._type = message_type
        self._topic = topic
        self._callback = callback
        self._reports = reports
        self._type_hint = type_hint
        self._reliability = self._wanted(self._publishers())
        self._follows = True
        self._qos = QoSProfile(depth=1)
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
        wanted = self._wanted(publishers)
        if self._follows and publishers and wanted != self._reliability:
            self._reliability = wanted
            self.destroy()
            self._subscription = self._subscribe()
            self._node.get_logger().info(f"{self.topic}: listening {wanted.name.lower().replace('_', ' ')} now, "
                                         "as its publishers offer")
        for publisher in publishers:
            self._report(publisher)
        return len(publishers)

    def destroy(self) -> None:
        """Stop listening."""
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self):
        self._qos = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=FOLLOW,
                               durability=DurabilityPolicy.VOLATILE)
        return self._node.create_subscription(
            self._type, self._topic, self._callback, self._qos,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
            qos_overriding_options=QoSOverridingOptions(_OVERRIDABLE, callback=self._settle))

    def _settle(self, qos: QoSProfile) -> QosCallbackResult:
        """Put the publishers' reliability where no override names one; rclpy calls this after the overrides."""
        self._follows = qos.reliability == FOLLOW
        if self._follows:
            qos.reliability = self._reliability
        return QosCallbackResult(successful=True)

    def _publishers(self) -> list:
        return self._node.get_publishers_info_by_topic(self._topic)

    @staticmethod
    def _wanted(publishers: list) -> ReliabilityPolicy:
        offered = {publisher.qos_profile.reliability for publisher in publishers}
        return ReliabilityPolicy.BEST_EFFORT if ReliabilityPolicy.BEST_EFFORT in offered else ReliabilityPolicy.RELIABLE

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
