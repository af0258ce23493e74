# SPDX-License-Identifier: Apache-2.0
"""`pip install .`: the parts without ROS, and the `clipseg` command. A ROS workspace builds with CMakeLists.txt."""

from setuptools import find_packages, setup

setup(
    # Whoever writes recordings needs the definitions of this package's messages, also where ROS is not.
    packages=[*find_packages(include=["clipseg_ros", "clipseg_ros.*"]), "clipseg_ros.definitions"],
    package_dir={"clipseg_ros.definitions": "msg"},
)
