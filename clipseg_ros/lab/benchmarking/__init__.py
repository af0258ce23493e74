# SPDX-License-Identifier: Apache-2.0
"""Measures the network on this machine: against what the machine can do, and against other programs."""
