#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tells an arm where to grasp a thing: finds one that fits into the gripper, and publishes where to begin and to close.

    python3 examples/grasp.py mug 0.08          # something to grasp, and how far the gripper opens, in metres

The node needs depth; `target_frame` is the frame in which the arm plans. The poses are those of a gripper whose z axis
points to what it grasps and whose fingers close along y, as in most hands.
"""
from __future__ import annotations

import sys

import numpy as np
import rclpy
from finding import find, tell
from geometry_msgs.msg import Point, Pose, PoseStamped
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

BEFORE = 0.10
"""Metres along the surface's normal between the pose before the grasp and the grasp."""


def grasp_poses(surface: Pose, extent: tuple[float, float]) -> tuple[Pose, Pose]:
    """Where the gripper waits, and where it closes: it comes along the normal and closes across the shorter side."""
    at, turn = surface.position, surface.orientation
    axes = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
    normal, across = axes[:, 2], axes[:, 1] if extent[1] <= extent[0] else axes[:, 0]
    gripper = Rotation.from_matrix(np.column_stack([np.cross(across, -normal), across, -normal]))
    x, y, z, w = gripper.as_quat().tolist()
    poses = []
    for away in (BEFORE, 0.0):
        place = np.array([at.x, at.y, at.z]) + away * normal
        pose = Pose(position=Point(**dict(zip("xyz", place.tolist()))))
        pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
        poses.append(pose)
    return poses[0], poses[1]


def main(prompt: str, opening: float) -> int:
    """Return the process's exit status: 0 where there is something to grasp."""
    rclpy.init()
    node = rclpy.create_node("grasp")
    publishers = [node.create_publisher(PoseStamped, f"grasp/{name}", 1) for name in ("before", "close")]
    result = find(node, prompts=[prompt], min_frames=2, timeout=30.0)
    fitting = [one for one in result.objects if one.has_pose and one.grasp_width <= opening]
    if fitting:
        one, header = fitting[0], Header(stamp=result.header.stamp, frame_id=result.pose_frame_id)
        for publisher, pose in zip(publishers, grasp_poses(one.pose.pose, (one.extent.x, one.extent.y))):
            tell(node, publisher, PoseStamped(header=header, pose=pose))
        print(f"grasp {prompt!r}, {one.grasp_width:.3f} m wide, score {one.score:.2f}")
    else:
        widths = ", ".join(f"{one.grasp_width:.3f} m" for one in result.objects)
        print(f"nothing to grasp: {f'too wide or of unknown place ({widths})' if widths else result.message}")
    node.destroy_node()
    rclpy.shutdown()
    return 0 if fitting else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "mug", float(sys.argv[2]) if len(sys.argv) > 2 else 0.08))
