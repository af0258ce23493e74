# SPDX-License-Identifier: Apache-2.0
"""Data of messages that does not lie in the processor's memory: rosidl's buffers, which ROS 2 has since Lyrical."""
from __future__ import annotations

from typing import Any


def check_memory(data: Any, name: str) -> None:
    """Raise ValueError, in a sentence about `name`, unless a message's data can be read where it is.

    Those of a subscription that asks for no other memory are arrays. Where one is a `rosidl_buffer.Buffer` all the
    same, it has a `backend_type` and no memory that NumPy could look into.
    """
    backend = getattr(data, "backend_type", None)
    if backend is not None:
        raise ValueError(f"{name} has its data in a buffer of the backend {str(backend)[:40]!r}; it must be in the "
                         "processor's memory, so let the publisher use the backend 'cpu'")
