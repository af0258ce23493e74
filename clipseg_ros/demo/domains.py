# SPDX-License-Identifier: Apache-2.0
"""A ROS domain that nobody else on this machine is on, for tests and demonstrations. Does not need ROS."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import TextIO

# Above, a domain's ports run into those that Linux gives to clients.
DOMAINS = range(1, 102)


def is_quiet(domain: int) -> bool:
    """Whether no participant has the first port of the domain (DDS interoperability protocol 2.2, 9.6.1.1)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("0.0.0.0", 7400 + 250 * domain + 10))
        except OSError:
            return False
    return True


def claim_domain() -> tuple[int, TextIO]:
    """A quiet domain, and the file whose lock keeps it from other callers until it is closed.

    Raises OSError when every domain is taken.
    """
    folder = Path(tempfile.gettempdir()) / f"clipseg_ros_domains_{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for domain in random.sample(DOMAINS, len(DOMAINS)):
        held = (folder / str(domain)).open("w")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held.close()
            continue
        if is_quiet(domain):
            return domain, held
        held.close()
    raise OSError(f"all ROS domains from {DOMAINS[0]} to {DOMAINS[-1]} are in use on this machine")
