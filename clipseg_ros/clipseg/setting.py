# SPDX-License-Identifier: Apache-2.0
"""What runs the network, where, and in which number format: three choices that must go together."""

from __future__ import annotations

from typing import NamedTuple

import torch

from clipseg_ros.clipseg.choices import BACKENDS, GPU_GRAPHS
from clipseg_ros.clipseg.device import pick_device, pick_precision


class Setting(NamedTuple):
    """A backend of `BACKENDS`, the device, and one of the backend's precisions other than auto; of `GPU_GRAPHS` one."""

    backend: str
    device: torch.device
    precision: str
    gpu_graphs: str = "auto"


def settle(backend: str, device: str | torch.device, precision: str | torch.dtype,
           gpu_graphs: str = "auto") -> Setting:
    """Return what the three stand for together; raise ValueError for what is unknown or does not go together."""
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}; it must be one of {', '.join(BACKENDS)}")
    if gpu_graphs not in GPU_GRAPHS:
        raise ValueError(f"gpu_graphs is {gpu_graphs!r}; it must be one of {', '.join(GPU_GRAPHS)}")
    if backend == "torch":
        picked = pick_device(device)
        return Setting(backend, picked, str(pick_precision(precision, picked)).removeprefix("torch."), gpu_graphs)
    if str(device).strip().lower() not in ("auto", "cpu"):
        raise ValueError(f"device is {str(device)!r}, but the backend {backend} runs on the CPU; "
                         "it must be auto or cpu, or the backend torch")
    name = str(precision).removeprefix("torch.")
    if name not in BACKENDS[backend]:
        others = ", ".join(other for other, known in BACKENDS.items() if name in known)
        raise ValueError(f"precision is {name!r}; with the backend {backend} it must be one of "
                         f"{', '.join(BACKENDS[backend])}{f' (backends that know it: {others})' if others else ''}")
    return Setting(backend, torch.device("cpu"), "float32" if name == "auto" else name, gpu_graphs)
