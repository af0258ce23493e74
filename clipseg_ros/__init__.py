# SPDX-License-Identifier: Apache-2.0
"""Open-vocabulary segmentation for robots: CLIPSeg as a ROS 2 node, a Python library and a command."""

import pkgutil

# A source tree that is found first must not hide the generated `clipseg_ros.msg` and `clipseg_ros.srv`.
__path__ = pkgutil.extend_path(__path__, __name__)

__version__ = "0.1.0"
