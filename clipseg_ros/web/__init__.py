# SPDX-License-Identifier: Apache-2.0
"""The page: a live camera with its masks in a browser, from a running node or without ROS."""
