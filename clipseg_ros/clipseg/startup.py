# SPDX-License-Identifier: Apache-2.0
"""A network that is ready for its first frame, or one sentence about the memory that it lacks."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from clipseg_ros.clipseg.choices import ON_OOM
from clipseg_ros.clipseg.cuda import OutOfMemoryError
from clipseg_ros.clipseg.device import pick_device
from clipseg_ros.clipseg.segmenter import Segmenter

_MIB = 2**20


def load_warm(
    weights: str | Path, *, on_oom: str = "error", cameras: int = 1, progress: Callable[[str], None],
    **settings: Any
) -> Segmenter:
    """Load weights and warm them up for frames of up to so many cameras at once.

    weights, settings, progress : as `Segmenter.load`.
    on_oom : one of `ON_OOM`. "cpu" lets the CPU run the network where a GPU's memory does not suffice, with its own
        automatic precision, and tells `progress`.

    Raises ValueError as `Segmenter.load` and `Segmenter.warm_up`, and for too little memory, with one sentence.
    """
    if on_oom not in ON_OOM:
        raise ValueError(f"on_oom is {on_oom!r}; it must be one of {', '.join(ON_OOM)}")
    try:
        return _load(weights, cameras=cameras, progress=progress, **settings)
    except OutOfMemoryError:
        free = _free_memory(settings.get("device", "auto"))
        lack = f"the GPU's memory does not suffice for the weights {str(weights)!r} and one frame{free}"
    gc.collect()  # what was loaded so far, now that the exception does not hold it any more
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if on_oom == "error":
        raise ValueError(f"{lack}; end what else uses it, choose a smaller input_size, or set on_oom to cpu")
    progress(f"{lack}; the CPU runs the network instead")
    return _load(weights, cameras=cameras, progress=progress, **settings | {"device": "cpu", "precision": "auto"})


def _load(weights: str | Path, *, cameras: int, **settings: Any) -> Segmenter:
    segmenter = Segmenter.load(weights, **settings)
    segmenter.warm_up(cameras)
    return segmenter


def _free_memory(device: str | torch.device) -> str:
    """Said of a GPU; nothing where there is none."""
    if not torch.cuda.is_available():
        return ""
    free, total = torch.cuda.mem_get_info(pick_device(device))
    return f", of which {free // _MIB} of {total // _MIB} MiB are free"
