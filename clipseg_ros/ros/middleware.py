# SPDX-License-Identifier: Apache-2.0
"""What Fast DDS needs: the profile that carries large images, and shared memory that is whole. Imports no rclpy."""
from __future__ import annotations

import os
import sys
import time
from pathlib import Path

VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Names a profile to Fast DDS: the first from version 3 on (Kilted), the second before (Humble, Jazzy)."""

SHARED_MEMORY = Path("/dev/shm")

_DEFAULT = "rmw_fastrtps_cpp"
"""Of every distribution that this package knows."""

_IN_THE_MAKING = 5.0
"""Seconds within which a port may be just being made."""


def prefer_large_images() -> None:
    """Let this process and those that it starts use the package's profile, unless the user named one.

    Must be called before rclpy is initialised; does nothing where the profile is not installed.
    """
    prefixes = [*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)), sys.prefix]
    profiles = (Path(prefix, "share", "clipseg_ros", "config", "fastdds.xml") for prefix in prefixes)
    found = next((profile for profile in profiles if profile.is_file()), None)
    if found is not None and not any(name in os.environ for name in VARIABLES):
        os.environ.update(dict.fromkeys(VARIABLES, str(found)))


def ports(folder: Path) -> list[Path]:
    """Files of Fast DDS' ports in shared memory, those that only lock one included."""
    return sorted(folder.glob("fast*_port*"))


def half_made_ports(folder: Path = SHARED_MEMORY) -> list[Path]:
    """Ports of Fast DDS whose maker was killed before it had marked them as made; for them others wait for ever."""
    if not (os.environ.get("RMW_IMPLEMENTATION") or _DEFAULT).startswith("rmw_fastrtps"):
        return []
    return [path for path in ports(folder) if not path.name.endswith("_el") and _is_half_made(path)]


def _is_half_made(port: Path) -> bool:
    try:
        if time.time() - port.stat().st_mtime < _IN_THE_MAKING:
            return False
        with port.open("rb") as file:
            return not any(file.read(4))
    except OSError:  # another user's, or gone by now
        return False
