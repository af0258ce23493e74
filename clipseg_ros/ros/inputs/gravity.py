# SPDX-License-Identifier: Apache-2.0
"""Where up is, as the accelerometer of a camera measures it."""
from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Imu

from clipseg_ros.ros.inputs.subscription import AdaptiveSubscription
from clipseg_ros.ros.reports import Reports

SMOOTHED = 0.5
"""Time constant of the low pass, in seconds: shorter shakes of a robot's hand hardly count."""
STALE = 2.0
"""Seconds after which a measurement says nothing any more."""
PLAUSIBLE = (8.0, 12.0)
"""Metres per second squared between which the acceleration lies that a camera at rest feels."""


class Gravity:
    """Listens to the topic `imu` of a camera while that is wanted. At rest an accelerometer measures upwards (REP 145).

    Its axes count as those of the image where its frame is the image's or is called an optical one, as in the drivers
    of depth cameras; others are refused.

    Parameters
    ----------
    node : on which the subscription is made
    prefix : in front of the topic: "" or "<name>/"
    reports : where it is said what cannot be used
    """

    def __init__(self, node: Node, *, prefix: str, reports: Reports,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._node = node
        self._topic = f"{prefix}imu"
        self._reports = reports
        self._clock = clock
        self._subscription: AdaptiveSubscription | None = None
        self._frame = ""
        self._felt: np.ndarray | None = None
        self._at = -math.inf

    def listen(self, wanted: bool) -> None:
        """Begin or end to listen, or follow the publishers' quality of service. Call it now and again."""
        if not wanted:
            self.destroy()
        elif self._subscription is None:
            self._subscription = AdaptiveSubscription(self._node, Imu, self._topic, self.hear, reports=self._reports)
        else:
            self._subscription.check()

    def destroy(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._subscription.destroy()
            self._subscription = None

    def hear(self, message: Imu) -> None:
        """Take a measurement into the mean."""
        felt = np.array([getattr(message.linear_acceleration, axis) for axis in "xyz"])
        # -1 in the covariance says that there is no such measurement.
        if message.linear_acceleration_covariance[0] == -1 or not np.isfinite(felt).all():
            return
        age, self._at = self._clock() - self._at, self._clock()
        if self._felt is None or age > STALE or message.header.frame_id != self._frame:
            self._felt, self._frame = felt, message.header.frame_id
        else:
            self._felt = self._felt + (1 - math.exp(-age / SMOOTHED)) * (felt - self._felt)

    def up(self, frame: str) -> np.ndarray | None:
        """(3,) unit vector in the optical frame of an image; None where that is unknown.

        frame : the image's frame_id
        """
        felt = self._felt
        if felt is None or self._clock() - self._at > STALE:
            return None
        if self._frame.lstrip("/") != frame.lstrip("/") and not self._frame.endswith("optical_frame"):
            self._reports.warn(f"{self._topic}: its frame {self._frame!r} is neither that of the image nor an optical "
                               "one, so nobody knows where its axes point; set target_frame instead")
            return None
        strength = float(np.linalg.norm(felt))
        if not PLAUSIBLE[0] <= strength <= PLAUSIBLE[1]:
            self._reports.warn(f"{self._topic}: the acceleration is {strength:.1f} m/s^2, but 9.8 at rest; it does not "
                               "say where up is")
            return None
        return felt / strength
