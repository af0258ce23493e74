# SPDX-License-Identifier: Apache-2.0
"""The number format of a training run's forward and backward pass."""
from __future__ import annotations

import torch


def training_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the type that `name` stands for; "auto" is bfloat16 where the device is made for it, else float32.

    A processor without 512-bit vectors takes about eight times as long in bfloat16 as in float32.
    """
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        fast = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.bfloat16 if fast else torch.float32
