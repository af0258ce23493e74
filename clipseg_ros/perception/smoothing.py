# SPDX-License-Identifier: Apache-2.0
"""Poses of tracked objects that do not tremble."""
from __future__ import annotations

from collections.abc import Iterable

import numpy as np

UNIT = 1e-3
"""By so much the length of a quaternion may differ from 1; it is made exact."""


class PoseSmoother:
    """Exponential smoothing of a pose per tracked object; for one thread.

    Each result is `weight` x the new pose + (1 - `weight`) x the result before; quaternions are blended on the same
    hemisphere and normalised. Smooth in a frame that does not move with the camera, otherwise the poses trail behind
    its motion.

    The x axis of a measured pose lies along an object's longest direction, of which either end is as good: a pose and
    the same pose after half a turn about its z axis are one measurement. The one nearer to the result before is used,
    so that an object whose x axis turns over from frame to frame is not averaged to lie across itself.

    Parameters
    ----------
    weight : share of the new measurement, in (0, 1]; with 1 nothing is changed

    Raises
    ------
    ValueError
        If the weight is outside (0, 1].
    """

    def __init__(self, *, weight: float) -> None:
        if not 0 < weight <= 1:
            raise ValueError(f"the weight of a new pose is {weight}; it must be above 0 and at most 1")
        self._weight = float(weight)
        self._poses: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __len__(self) -> int:
        """The number of objects that are remembered."""
        return len(self._poses)

    def smooth(self, track_id: int, position: np.ndarray, orientation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The smoothed pose of an object.

        Parameters
        ----------
        track_id : the object's number; one that is 0 has none, and its pose is returned as it is
        position : (3,) metres
        orientation : (4,) unit quaternion x y z w

        Returns
        -------
        (3,) float64 metres and (4,) float64 unit quaternion x y z w

        Raises
        ------
        ValueError
            If position or orientation are of the wrong shape, not finite, or the quaternion is not of length 1.
        """
        position, orientation = _checked(position, orientation)
        if track_id == 0 or self._weight == 1:
            return position, orientation
        if track_id in self._poses:
            last_position, last_orientation = self._poses[track_id]
            position = last_position + self._weight * (position - last_position)
            nearest = _nearest(orientation, last_orientation)
            blended = last_orientation + self._weight * (nearest - last_orientation)
            orientation = blended / np.linalg.norm(blended)
        self._poses[track_id] = position, orientation
        return position.copy(), orientation.copy()

    def forget(self, alive: Iterable[int]) -> None:
        """Keep only the objects with these numbers; to be called after every frame, or memory grows."""
        alive = set(alive)
        self._poses = {track_id: pose for track_id, pose in self._poses.items() if track_id in alive}


def _nearest(orientation: np.ndarray, to: np.ndarray) -> np.ndarray:
    """(4,) the quaternion nearest to another one, of those that stand for an orientation or its half turn about z.

    Its dot product with the other is not negative, so no blend of the two is shorter than sqrt(0.5).
    """
    x, y, z, w = orientation
    half_turned = np.array([y, -x, w, -z])
    best = max((orientation, half_turned), key=lambda candidate: abs(candidate @ to))
    return best if best @ to >= 0 else -best


def _checked(position: np.ndarray, orientation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Float64 copies of a position and of an orientation, which is normalised."""
    position, orientation = np.array(position, np.float64), np.array(orientation, np.float64)
    if position.shape != (3,) or not np.isfinite(position).all():
        raise ValueError(f"the position is {position}; it must be three finite numbers, in metres")
    length = np.linalg.norm(orientation)
    # A length that is NaN is not within any range.
    if orientation.shape != (4,) or not abs(length - 1) <= UNIT:
        raise ValueError(f"the orientation is {orientation}; it must be a quaternion x y z w of length 1")
    return position, orientation / length
