# SPDX-License-Identifier: Apache-2.0
"""Where to stand before a thing, or to hold a gripper, to face it."""
from __future__ import annotations

import numpy as np

from clipseg_ros.perception.transforms import Transform, matrices_to_quaternions

_LEAST = 1e-6
"""Metres between the camera and a thing, across, below which the camera is straight above or below it."""


def approach(position: np.ndarray, viewpoint: np.ndarray, up: np.ndarray, *, standoff: float) -> Transform:
    """The place `standoff` before a thing, at its height and on the side from which it was seen.

    That side is free: the camera looked along it. Its axes are those of a robot (REP 103): x to the thing, z up.
    Of a thing straight below or above the camera, the side is that of the frame's first axis that is level.

    Parameters
    ----------
    position : (3,) metres, of the thing
    viewpoint : (3,) metres, of the camera
    up : (3,) unit vector against gravity
    standoff : metres, level
    """
    sides = [viewpoint - position, *np.eye(3)]
    level = (side - (side @ up) * up for side in sides)
    aside = next(side for side in level if np.linalg.norm(side) > _LEAST)
    aside = aside / np.linalg.norm(aside)
    axes = np.column_stack([-aside, np.cross(up, -aside), up])
    return Transform(position + standoff * aside, matrices_to_quaternions(axes[None])[0])
