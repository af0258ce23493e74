# SPDX-License-Identifier: Apache-2.0
"""What a process holds: its memory, its file descriptors and its threads."""
from __future__ import annotations

import os
from pathlib import Path


def resident(pid: int) -> float:
    """Megabytes of memory of a process."""
    return int(_status(pid, "VmRSS")) / 1024


def threads(pid: int) -> int:
    """Number of threads of a process."""
    return int(_status(pid, "Threads"))


def descriptors(pid: int) -> int:
    """Number of open files, sockets and the like of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def _status(pid: int, key: str) -> str:
    return Path(f"/proc/{pid}/status").read_text(encoding="ascii").partition(f"{key}:")[2].split()[0]
