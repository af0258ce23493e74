# SPDX-License-Identifier: Apache-2.0
"""What a process holds, as Linux tells it."""
from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Footprint(NamedTuple):
    """Megabytes of memory, open files and sockets, and threads."""

    memory: float
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Footprint:
        """Of a process."""
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        number = {name: int(status.partition(f"{name}:")[2].split()[0]) for name in ("VmRSS", "Threads")}
        return cls(number["VmRSS"] / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())), number["Threads"])
