# SPDX-License-Identifier: Apache-2.0
"""ROS messages by their fields alone, whoever made them: rclpy from the middleware, or a library from a recording."""
