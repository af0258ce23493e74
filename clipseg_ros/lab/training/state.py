# SPDX-License-Identifier: Apache-2.0
"""The state of a run on disk, complete or not there at all, from which an interrupted run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from clipseg_ros.clipseg.whole_files import replacing

STATE_FILE = "state.pt"


def save_state(directory: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain numbers) to `directory`/state.pt; the old one stays until it is complete."""
    with replacing(directory / STATE_FILE) as part, part.open("wb") as stream:
        torch.save(state, stream)


def load_state(directory: Path) -> dict[str, Any] | None:
    """Read `directory`/state.pt, None if there is none; raises ValueError for a file that is no training state."""
    path = directory / STATE_FILE
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{path} is not a training state that can be resumed ({error}).") from error
