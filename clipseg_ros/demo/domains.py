# SPDX-License-Identifier: Apache-2.0
"""A ROS domain that nobody else on this machine is on, for tests and demonstrations. Does not need ROS."""

from __future__ import annotations

import fcntl
import os
import random
import re
import socket
import tempfile
from pathlib import Path
from typing import TextIO

from clipseg_ros.ros.middleware import SHARED_MEMORY, ports

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


def has_leftovers(domain: int) -> bool:
    """Whether there are ports of Fast DDS in shared memory. Those of killed processes keep new ones from being heard."""
    own = range(7400 + 250 * domain, 7400 + 250 * (domain + 1))
    left = (re.match(r"fast(?:dds|rtps)_port(\d+)", path.name) for path in ports(SHARED_MEMORY))
    return any(found and int(found[1]) in own for found in left)


def claim_domain() -> tuple[int, TextIO]:
    """A quiet domain, and the file whose lock keeps it from other callers until it is closed.

    One without leftovers is preferred.

    Raises OSError when every domain is taken.
    """
    folder = Path(tempfile.gettempdir()) / f"clipseg_ros_domains_{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for domain in sorted(random.sample(DOMAINS, len(DOMAINS)), key=has_leftovers):
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
