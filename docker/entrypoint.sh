#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Starts the node; what follows the image's name on the command line are arguments of the launch file.
set -e
source /workspace/install/setup.bash
exec ros2 launch clipseg_ros clipseg.launch.py "$@"
