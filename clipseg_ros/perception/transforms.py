# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms between frames: rotations as unit quaternions (x, y, z, w), translations in metres."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

_SHORTEST = 1e-9
"""A quaternion shorter than this has no direction left."""


@dataclass(frozen=True, eq=False)
class Transform:
    """From coordinates in one frame (the source) to coordinates in another (the target).

    `a_from_b @ b_from_c` is `a_from_c`, and a pose of an object in `b` is a transform from the object to `b`, so that
    `a_from_b @ pose` is the pose in `a`.

    Attributes
    ----------
    translation : (3,) float64 metres, the source's origin in the target
    rotation : (4,) float64 unit quaternion x y z w, the source's axes in the target
    """

    translation: np.ndarray
    rotation: np.ndarray

    @classmethod
    def from_quaternion(cls, translation: Sequence[float] | np.ndarray,
                        rotation: Sequence[float] | np.ndarray) -> Transform:
        """The transform of numbers from outside; the quaternion need not have unit length.

        Parameters
        ----------
        translation : (3,) metres
        rotation : (4,) x y z w

        Raises
        ------
        ValueError
            If a number is not finite, the quaternion is zero, or there are not three and four numbers.
        """
        translation = np.array(translation, np.float64)
        if translation.shape != (3,) or not np.isfinite(translation).all():
            raise ValueError(f"the translation is {translation}; it must be three finite numbers, in metres")
        return cls(translation, _unit(rotation))

    @classmethod
    def from_matrix(cls, matrix: Sequence[Sequence[float]] | np.ndarray) -> Transform:
        """The transform of a homogeneous matrix (4, 4), metres.

        Raises
        ------
        ValueError
            If it is no rigid transform: another shape, numbers that are not finite, or axes that are not of unit length
            and perpendicular, within 0.001.
        """
        matrix = np.array(matrix, np.float64)
        rigid = matrix.shape == (4, 4) and np.isfinite(matrix).all() and np.linalg.det(matrix[:3, :3]) > 0
        if not rigid or np.abs(matrix[:3, :3] @ matrix[:3, :3].T - np.eye(3)).max() > 1e-3:
            raise ValueError(f"the pose is {matrix.tolist()}; it must be a rigid transform, (4, 4) with a rotation and "
                             "metres")
        return cls(matrix[:3, 3].copy(), matrices_to_quaternions(matrix[None, :3, :3])[0])

    @classmethod
    def identity(cls) -> Transform:
        """From a frame to itself."""
        return cls(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))

    @cached_property
    def matrix(self) -> np.ndarray:
        """(3, 3) float64: the rotation; its columns are the source's axes in the target."""
        return self._turn.as_matrix()

    @cached_property
    def _turn(self) -> Rotation:
        return Rotation.from_quat(self.rotation)

    def apply(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) float64: `points` in the target.

        Parameters
        ----------
        points : (n, 3) metres in the source

        Raises
        ------
        ValueError
            If the shape is another one.
        """
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"the points have the shape {points.shape}; they must be (n, 3)")
        return points @ self.matrix.T + self.translation

    def compose(self, other: Transform) -> Transform:
        """First `other`, then this one; also written `self @ other`."""
        return Transform(self.apply(other.translation[None])[0], (self._turn * other._turn).as_quat())

    __matmul__ = compose

    def inverse(self) -> Transform:
        """From the target back to the source."""
        return Transform(-self.translation @ self.matrix, self._turn.inv().as_quat())

    def rotate_covariance(self, covariance: np.ndarray) -> np.ndarray:
        """(6, 6) float64: the covariance of a pose in the target, of one in the source.

        The transform itself counts as exact. The rows and columns are those of geometry_msgs/PoseWithCovariance: x, y,
        z and the rotations about the fixed axes x, y, z.

        Parameters
        ----------
        covariance : (6, 6), in square metres, square radians and their product, about the source's axes

        Raises
        ------
        ValueError
            If the shape is another one.
        """
        covariance = np.asarray(covariance, np.float64)
        if covariance.shape != (6, 6):
            raise ValueError(f"the covariance has the shape {covariance.shape}; it must be (6, 6)")
        both = np.zeros((6, 6))
        both[:3, :3] = both[3:, 3:] = self.matrix
        return both @ covariance @ both.T


def matrices_to_quaternions(matrices: np.ndarray) -> np.ndarray:
    """(n, 4) float64 unit quaternions x y z w with w >= 0 of (n, 3, 3) rotation matrices, which are not checked.

    Of the two quaternions of a rotation by exactly 180 degrees the one whose largest component is positive is taken.
    """
    if not len(matrices):
        return np.zeros((0, 4))  # SciPy 1.8 takes no empty stack
    quaternions = Rotation.from_matrix(matrices).as_quat()
    return np.where(quaternions[:, 3:] < 0, -quaternions, quaternions)


def _unit(quaternion: Sequence[float] | np.ndarray) -> np.ndarray:
    """(4,) float64 of length 1."""
    quaternion = np.array(quaternion, np.float64)
    length = np.linalg.norm(quaternion)
    if quaternion.shape != (4,) or not _SHORTEST < length < np.inf:
        raise ValueError(f"the quaternion is {quaternion}; it must be four finite numbers x y z w, not all of them "
                         "zero")
    return quaternion / length
