# SPDX-License-Identifier: Apache-2.0
"""The Fast DDS profile that carries large images, wherever the package is installed. Imports no rclpy."""
from __future__ import annotations

import os
import sys
from pathlib import Path


def prefer_large_images() -> None:
    """Let this process and those that it starts use the package's profile, unless the user named one.

    Must be called before rclpy is initialised; does nothing where the profile is not installed.
    """
    prefixes = [*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)), sys.prefix]
    profiles = (Path(prefix, "share", "clipseg_ros", "config", "fastdds.xml") for prefix in prefixes)
    found = next((profile for profile in profiles if profile.is_file()), None)
    if found is not None:
        os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(found))
