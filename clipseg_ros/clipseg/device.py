# SPDX-License-Identifier: Apache-2.0
"""Where the network runs, and in which number format."""

from __future__ import annotations

import torch

from clipseg_ros.clipseg.choices import PRECISIONS

DEVICES = "auto, cpu, cuda or cuda:0, cuda:1, ..."

TENSOR_CORES = (7, 0)
"""Compute capability from which on; before, float16 is no faster than float32, or slower."""


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device that `device` names; auto is the first GPU, or the CPU where there is none.

    Raises ValueError for a name that is not understood and for a GPU that is not there.
    """
    name = str(device).strip().lower()
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (":" in name and not index.isdecimal()):
        raise ValueError(f"device is {str(device)!r}; it must be one of {DEVICES}")
    if kind == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(index or 0) >= count:
        there = "no CUDA device" if not count else f"only {count} CUDA device{'s' if count > 1 else ''}"
        raise ValueError(f"device is {str(device)!r}, but PyTorch finds {there} here; 'cpu' and 'auto' always work")
    return torch.device("cuda", int(index or 0))


def pick_precision(precision: str | torch.dtype, device: torch.device) -> torch.dtype:
    """Return the type that `precision` names. Raises ValueError.

    auto is float16 on a GPU with tensor cores and float32 elsewhere: float16's masks are closer to float32's than
    bfloat16's, and as fast. Weights that overflow in it are refused when they are warmed up.
    """
    name = str(precision).removeprefix("torch.")
    if name not in PRECISIONS:
        raise ValueError(f"precision is {name!r}; it must be one of {', '.join(PRECISIONS)}")
    if name == "auto":
        return torch.float16 if _has_tensor_cores(device) else torch.float32
    return getattr(torch, name)


def _has_tensor_cores(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= TENSOR_CORES
