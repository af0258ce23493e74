# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, for whoever may not make one: no file of a process grows beyond some bytes."""
from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def full_disk(room: int, pid: int | None = None) -> Iterator[None]:
    """What a process writes beyond `room` bytes of a file is an OSError, as on a full disk; None for this process."""
    before = resource.prlimit(pid or os.getpid(), resource.RLIMIT_FSIZE)
    resource.prlimit(pid or os.getpid(), resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid or os.getpid(), resource.RLIMIT_FSIZE, before)
