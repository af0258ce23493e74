#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives to a thing: finds it, and sends the place before it to Nav2.

    python3 examples/go_to.py "something to sit on"

The node needs depth, and `target_frame: map`, the frame in which Nav2 plans. The goal goes to /goal_pose, as from
RViz's button; a program that also wants to know when the robot has arrived sends it to Nav2's action NavigateToPose.
"""
from __future__ import annotations

import sys

import rclpy
from finding import find, tell
from geometry_msgs.msg import PoseStamped
from std_msgs.msg import Header


def main(prompt: str) -> int:
    """Return the process's exit status: 0 where a goal was sent."""
    rclpy.init()
    node = rclpy.create_node("go_to")
    goals = node.create_publisher(PoseStamped, "goal_pose", 1)
    result = find(node, prompts=[prompt], min_frames=3, timeout=30.0, standoff=0.8)
    places = [place for one, place in zip(result.objects, result.approaches) if one.has_pose]
    if places:
        header = Header(stamp=result.header.stamp, frame_id=result.pose_frame_id)
        tell(node, goals, PoseStamped(header=header, pose=places[0]))
        at = places[0].position
        print(f"go to {at.x:.2f} {at.y:.2f} in {result.pose_frame_id}, to stand 0.8 m before {prompt!r}")
    else:
        print(result.message if not result.found else f"{prompt!r} is seen, but its place is unknown: is there depth?")
    node.destroy_node()
    rclpy.shutdown()
    return 0 if places else 1


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:2] or ["something to sit on"])))
