# SPDX-License-Identifier: Apache-2.0
"""A network that is ready for its first frame and, on a GPU, has proved itself; or one sentence about what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from clipseg_ros.clipseg.choices import ON_OOM
from clipseg_ros.clipseg.cuda import OutOfMemoryError, is_gpu_error, release_memory
from clipseg_ros.clipseg.cuda.proof import Proof
from clipseg_ros.clipseg.device import pick_device
from clipseg_ros.clipseg.segmenter import Segmenter

SAFER = {
    "it is tried without recorded graphs": {"gpu_graphs": "off"},
    "it is tried in float32 without recorded graphs": {"gpu_graphs": "off", "precision": "float32"},
}
"""What a GPU that is wrong is tried with next, one after the other, as it is told; then `on_oom` decides."""

ON_CPU = {"device": "cpu", "precision": "auto"}

_MIB = 2**20


def load_warm(
    weights: str | Path, *, on_oom: str = "error", cameras: int = 1, progress: Callable[[str], None],
    **settings: Any
) -> Segmenter:
    """Load weights and warm them up for frames of up to so many cameras at once.

    A GPU has to find the masks that the plain network finds on the CPU in recorded scenes. Where it does not, or
    fails, safer ways are tried, and `progress` is told why.

    weights, settings, progress : as `Segmenter.load`.
    on_oom : one of `ON_OOM`. "cpu" lets the CPU run the network where a GPU's memory does not suffice or where it is
        wrong in every way, with its own automatic precision, and tells `progress`.

    Raises ValueError as `Segmenter.load` and `Segmenter.warm_up`, for too little memory, and for a GPU that is wrong
    in every way, with one sentence.
    """
    if on_oom not in ON_OOM:
        raise ValueError(f"on_oom is {on_oom!r}; it must be one of {', '.join(ON_OOM)}")
    settings["progress"] = progress
    try:
        segmenter, trouble = _first_that_is_right(weights, settings, cameras)
        if segmenter is not None:
            return segmenter
        advice = "set device or on_oom to cpu"
    except OutOfMemoryError:
        free = _free_memory(settings.get("device", "auto"))
        trouble = f"the GPU's memory does not suffice for the weights {str(weights)!r} and one frame{free}"
        advice = "end what else uses it, choose a smaller input_size, or set on_oom to cpu"
    release_memory()  # what was loaded so far, now that the exception does not hold it any more
    if on_oom == "error":
        raise ValueError(f"{trouble}; {advice}")
    progress(f"{trouble}; the CPU runs the network instead")
    segmenter = Segmenter.load(weights, **settings | ON_CPU)
    segmenter.warm_up(cameras)
    return segmenter


def _first_that_is_right(
    weights: str | Path, settings: dict[str, Any], cameras: int
) -> tuple[Segmenter | None, str]:
    """A segmenter that is ready, or none and what speaks against the GPU's."""
    @cache
    def proof() -> Proof:
        settings["progress"]("comparing the GPU's masks with the CPU's on recorded scenes")
        plain = ON_CPU | {"precision": "float32", "unchanged": None}
        return Proof(Segmenter.load(weights, **settings | plain))

    segmenter, trouble = _tried(weights, settings, cameras, proof)
    for step, safer in SAFER.items():
        if segmenter is None and settings | safer != settings:
            release_memory()
            settings = settings | safer
            settings["progress"](f"{trouble}; {step}")
            segmenter, trouble = _tried(weights, settings, cameras, proof)
    return segmenter, trouble


def _tried(
    weights: str | Path, settings: dict[str, Any], cameras: int, proof: Callable[[], Proof]
) -> tuple[Segmenter | None, str]:
    """As `_first_that_is_right`, of one way. Whatever is wrong on a CPU is raised."""
    on_gpu = False
    try:
        segmenter = Segmenter.load(weights, **settings)
        on_gpu = segmenter.device.type == "cuda"
        segmenter.warm_up(cameras)
        objection = proof().objection(segmenter, cameras) if on_gpu else ""
        if not objection:
            return segmenter, ""
        how = f"{segmenter.precision} with gpu_graphs {settings.get('gpu_graphs', 'auto')}"
        return None, f"{segmenter.device} in {how} does not compute what the CPU does: {objection}"
    except ValueError as error:
        if not on_gpu:
            raise
        return None, str(error)
    except RuntimeError as error:
        if not is_gpu_error(error):
            raise
        return None, "the GPU failed: " + str(error).partition("\n")[0]  # the rest is advice for developers


def _free_memory(device: str | torch.device) -> str:
    """Said of a GPU; nothing where there is none."""
    if not torch.cuda.is_available():
        return ""
    free, total = torch.cuda.mem_get_info(pick_device(device))
    return f", of which {free // _MIB} of {total // _MIB} MiB are free"
