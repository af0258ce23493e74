# SPDX-License-Identifier: Apache-2.0
"""Recordings (rosbag, rosbag2, MCAP) read, searched and written, without ROS."""
