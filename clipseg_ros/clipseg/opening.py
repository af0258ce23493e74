# SPDX-License-Identifier: Apache-2.0
"""From a network and a setting to what runs it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from clipseg_ros.clipseg.backend import Backend, TorchBackend, place
from clipseg_ros.clipseg.cuda.backend import GpuBackend
from clipseg_ros.clipseg.model import CLIPSeg
from clipseg_ros.clipseg.setting import Setting


def open_backend(
    model: CLIPSeg, setting: Setting, side: int, progress: Callable[[str], None]
) -> tuple[CLIPSeg, Backend]:
    """The network that embeds the prompts, and what runs the rest of it."""
    if setting.backend == "torch":
        placed = place(model, setting.device, getattr(torch, setting.precision))
        if setting.device.type == "cuda":
            return placed, GpuBackend(placed, (side, side), graphs=setting.gpu_graphs == "auto", progress=progress)
        return placed, TorchBackend(placed, (side, side))
    from clipseg_ros.clipseg.onnx.cache import Exporter

    placed = place(model, setting.device, torch.float32)
    exporter = Exporter(model, side=side, backend=setting.backend, precision=setting.precision, progress=progress)
    return placed, exporter.open_cached()
