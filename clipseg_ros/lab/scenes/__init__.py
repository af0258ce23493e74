# SPDX-License-Identifier: Apache-2.0
"""A simulated home with ground truth: rendered with MuJoCo (extra `scenes`), or recorded."""
