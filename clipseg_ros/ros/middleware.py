# SPDX-License-Identifier: Apache-2.0
"""The Fast DDS profile that carries large images, wherever the package is installed. Imports no rclpy."""
from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Names a profile to Fast DDS: the first from version 3 on (Kilted), the second before (Humble, Jazzy)."""


def prefer_large_images() -> None:
    """Let this process and those that it starts use the package's profile, unless the user named one.

    Must be called before rclpy is initialised; does nothing where the profile is not installed.
    """
    prefixes = [*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)), sys.prefix]
    profiles = (Path(prefix, "share", "clipseg_ros", "config", "fastdds.xml") for prefix in prefixes)
    found = next((profile for profile in profiles if profile.is_file()), None)
    if found is not None and not any(name in os.environ for name in VARIABLES):
        os.environ.update(dict.fromkeys(VARIABLES, str(found)))
