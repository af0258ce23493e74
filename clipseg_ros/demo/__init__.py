# SPDX-License-Identifier: Apache-2.0
"""The demonstration, a program that uses the node as others would; imports rclpy, as `ros` does."""
