# SPDX-License-Identifier: Apache-2.0
"""From probabilities to things a robot can use; NumPy, OpenCV and SciPy only."""
