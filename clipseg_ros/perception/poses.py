# SPDX-License-Identifier: Apache-2.0
"""Position, orientation and size of visible surfaces, of all objects of a picture together."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipseg_ros.perception.surface import masked_mean
from clipseg_ros.perception.transforms import Transform, matrices_to_quaternions

_NEAR = 1 / 3
"""Share of the points, those nearest to the position, that decide the normal."""
_FEWEST_FOR_A_NORMAL = 12
_FLAT = 0.25
"""A patch whose thickness is more than this share of its width (both squared) has no normal."""
_ROUND = 1.2
"""Below this ratio of the variances along its two directions an outline has no longest one."""
_LEAST = 1e-12
"""Variances below this, in square metres, are none."""
_UNKNOWN_ANGLE = np.pi ** 2 / 3
"""Variance of an angle that could be any."""
_SPAN = (0.02, 0.98)
_TO_CAMERA = np.array([0.0, 0.0, -1.0])


@dataclass(frozen=True)
class Pose:
    """Where a surface is, in metres in the camera's optical frame (x right, y down, z forward).

    Attributes
    ----------
    position : (3,) float64
    orientation : (4,) float64, unit quaternion x y z w: its z axis is the surface's outward normal, its x axis the
        surface's longest direction as seen along the normal
    extent : (3,) float64, size of the surface along the pose's axes
    covariance : (6, 6) float64 of x, y, z and the rotations about x, y, z: that of the points around their mean in
        square metres, and that of the fitted normal and direction in square radians
    """

    position: np.ndarray
    orientation: np.ndarray
    extent: np.ndarray
    covariance: np.ndarray

    @property
    def grasp_width(self) -> float:
        """How far a parallel gripper that comes along the normal must open, in metres: the smaller extent across it."""
        return float(min(self.extent[0], self.extent[1]))


def estimate_poses(points: np.ndarray, kept: np.ndarray, positions: np.ndarray | None = None, *,
                   facing: np.ndarray | None = None) -> list[Pose]:
    """The poses of n surfaces, of each of which points were measured.

    Where the points around a position are too few (under 12), in a line, or no flatter than a ball, the normal points
    to the camera. Where an outline has no longest direction, the x axis points to the right of the image. The x axis
    never points to the left. Nothing is ever NaN.

    Parameters
    ----------
    points : (n, k, 3) float, metres in the camera's optical frame
    kept : (n, k) bool, which of them count; at least one per surface, and those finite
    positions : (n, 3) metres; by default the means of the points
    facing : (3,) unit vector to whose side normals point rather than to the camera's, and which stands for one that is
        unknown; all points of a surface decide its normal then, not only those near its position

    Raises
    ------
    ValueError
        If a surface has no point, or one that is not finite.
    """
    points, kept = np.asarray(points, np.float64), np.asarray(kept, bool)
    if points.ndim != 3 or points.shape[2] != 3 or points.shape[:2] != kept.shape or not kept.any(axis=1).all():
        raise ValueError(f"the points have the shape {points.shape} and those that count {kept.shape}; they must be "
                         "(n, k, 3) and (n, k), with at least one point of each surface")
    points = np.where(kept[..., None], points, 0.0)
    if not np.isfinite(points).all():
        raise ValueError("a point of a surface is not finite; unmeasured ones must not count")
    count = kept.sum(axis=1)
    means, spread = _moments(points, kept)
    positions = means if positions is None else np.asarray(positions, np.float64)
    normals, tilt = _normals(points, kept, positions, facing)
    axes, turn = _axes(spread, normals, count)
    extents = _extents((points - positions[:, None]) @ axes, kept)
    covariances = np.zeros((len(points), 6, 6))
    covariances[:, :3, :3] = spread
    angles = np.stack([tilt, tilt, turn], axis=1)
    covariances[:, 3:, 3:] = (axes * angles[:, None]) @ axes.transpose(0, 2, 1)
    return [Pose(*parts) for parts in zip(positions, matrices_to_quaternions(axes), extents, covariances)]


def moved(pose: Pose, transform: Transform) -> Pose:
    """The same pose in the frame that the transform leads to; the extent is along the pose's axes and stays."""
    there = transform @ Transform(pose.position, pose.orientation)
    return Pose(there.translation, there.rotation, pose.extent, transform.rotate_covariance(pose.covariance))


def _moments(points: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) means and (n, 3, 3) covariances of the points that count."""
    means = masked_mean(points, kept)
    offsets = (points - means[:, None]) * kept[..., None]
    return means, offsets.transpose(0, 2, 1) @ offsets / kept.sum(axis=1)[:, None, None]


def _normals(points: np.ndarray, kept: np.ndarray, positions: np.ndarray,
             facing: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) unit vectors out of the surfaces at the positions, and (n,) the variances of their angles."""
    distances = np.linalg.norm(positions, axis=1, keepdims=True)
    outwards = np.where(distances > 0, -positions / np.maximum(distances, 1e-300), _TO_CAMERA)
    outwards = outwards if facing is None else np.broadcast_to(facing, positions.shape)
    share = _NEAR if facing is None else 1.0
    wanted = np.maximum((kept.sum(axis=1) * share).astype(int), _FEWEST_FOR_A_NORMAL)
    offsets = points - positions[:, None]
    away = np.where(kept, np.einsum("nkd,nkd->nk", offsets, offsets), np.inf)
    limit = np.take_along_axis(np.sort(away, axis=1), np.minimum(wanted, away.shape[1])[:, None] - 1, axis=1)
    near = kept & (away <= limit)
    count = near.sum(axis=1)
    _, spread = _moments(points, near)
    variances, directions = np.linalg.eigh(spread)
    known = (count >= _FEWEST_FOR_A_NORMAL) & (variances[:, 1] > _LEAST) & (variances[:, 0] <= _FLAT * variances[:, 1])
    normals = directions[:, :, 0]
    normals = np.where((normals * outwards).sum(axis=1, keepdims=True) < 0, -normals, normals)
    tilt = np.maximum(variances[:, 0], 0.0) / np.maximum(count * variances[:, 1], _LEAST)
    return np.where(known[:, None], normals, outwards), np.where(known, tilt, _UNKNOWN_ANGLE)


def _axes(spread: np.ndarray, normals: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3, 3) right-handed axes in columns, the last ones the normals, and (n,) the variances of their turns."""
    across = _perpendicular(normals)
    flat = np.stack([across, np.cross(normals, across)], axis=2)
    variances, directions = np.linalg.eigh(flat.transpose(0, 2, 1) @ spread @ flat)
    small, large = np.maximum(variances[:, 0], 0.0), variances[:, 1]
    longest = (flat @ directions[:, :, 1:])[..., 0]
    leftwards = np.where(np.abs(longest[:, 0]) > 1e-9, longest[:, 0] < 0, longest[:, 1] < 0)
    longest = np.where(leftwards[:, None], -longest, longest)
    long = large > np.maximum(_ROUND * small, _LEAST)
    across = np.where(long[:, None], longest, across)
    turn = np.where(long, small * large / np.maximum(count * (large - small) ** 2, 1e-300), _UNKNOWN_ANGLE)
    return np.stack([across, np.cross(normals, across), normals], axis=2), np.minimum(turn, _UNKNOWN_ANGLE)


def _perpendicular(normals: np.ndarray) -> np.ndarray:
    """(n, 3) unit vectors in the surfaces that point to the right of the image, or down where a surface cannot."""
    sideways = np.abs(normals[:, :1]) > 0.99
    wanted = np.where(sideways, [0.0, 1.0, 0.0], [1.0, 0.0, 0.0])
    flat = wanted - (wanted * normals).sum(axis=1, keepdims=True) * normals
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def _extents(local: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(n, 3) lengths of the points (n, k, 3) along the axes.

    From the range of the middle 96 %, scaled up as if the points were spread evenly: a single stray one counts little.
    """
    ordered = np.sort(np.where(kept[..., None], local, np.inf), axis=1)
    last = kept.sum(axis=1) - 1
    low, high = (np.take_along_axis(ordered, np.rint(share * last).astype(int)[:, None, None], axis=1)[:, 0]
                 for share in _SPAN)
    return (high - low) / (_SPAN[1] - _SPAN[0])
