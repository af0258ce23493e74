# SPDX-License-Identifier: Apache-2.0
"""What no robot runs: data sets, the simulated home, training, evaluation and benchmarking. Never imports rclpy."""
