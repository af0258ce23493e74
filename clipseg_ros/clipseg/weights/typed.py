# SPDX-License-Identifier: Apache-2.0
"""How a user runs the `clipseg` command here: it is not on the PATH of a colcon workspace."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def typed(arguments: str) -> str:
    """The words that run `clipseg ARGUMENTS` on this machine.

    That is `ros2 run clipseg_ros clipseg ARGUMENTS` where AMENT_PREFIX_PATH names an installation by colcon, the
    program's path where there is no `ros2` to run it, and `clipseg ARGUMENTS` everywhere else.
    """
    prefixes = filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep))
    programs = (Path(prefix, "lib", "clipseg_ros", "clipseg") for prefix in prefixes)
    installed = next((program for program in programs if program.is_file()), None)
    if installed is None:
        return f"clipseg {arguments}"
    return f"{'ros2 run clipseg_ros clipseg' if shutil.which('ros2') else installed} {arguments}"
