# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node; with `demo`, the only room that imports rclpy."""
