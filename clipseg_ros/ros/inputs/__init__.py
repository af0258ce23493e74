# SPDX-License-Identifier: Apache-2.0
"""From messages to arrays: pictures, depth, calibration and transforms."""
