# SPDX-License-Identifier: Apache-2.0
"""`pip install .`: the parts without ROS, and the `clipseg` command. A ROS workspace builds with CMakeLists.txt."""

from setuptools import setup

setup()
