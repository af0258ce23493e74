# SPDX-License-Identifier: Apache-2.0
"""What runs the network, where, and in which number format."""

from __future__ import annotations

from typing import NamedTuple

import torch

DEVICES = "auto, cpu, cuda or cuda:0, cuda:1, ..."
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
BACKENDS = {"torch": PRECISIONS, "openvino": (*PRECISIONS, "int8"), "onnxruntime": ("auto", "float32", "int8")}
"""What can run the network, each with the precisions that it knows."""

TENSOR_CORES = (7, 0)
"""Compute capability from which on; before, float16 is no faster than float32, or slower."""


class Setting(NamedTuple):
    """A backend of `BACKENDS`, the device, and one of the backend's precisions other than auto."""

    backend: str
    device: torch.device
    precision: str


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


def settle(backend: str, device: str | torch.device, precision: str | torch.dtype) -> Setting:
    """Return what the three stand for together; raise ValueError for what is unknown or does not go together."""
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}; it must be one of {', '.join(BACKENDS)}")
    if backend == "torch":
        picked = pick_device(device)
        return Setting(backend, picked, str(pick_precision(precision, picked)).removeprefix("torch."))
    if str(device).strip().lower() not in ("auto", "cpu"):
        raise ValueError(f"device is {str(device)!r}, but the backend {backend} runs on the CPU; "
                         "it must be auto or cpu, or the backend torch")
    name = str(precision).removeprefix("torch.")
    if name not in BACKENDS[backend]:
        others = ", ".join(other for other, known in BACKENDS.items() if name in known)
        raise ValueError(f"precision is {name!r}; with the backend {backend} it must be one of "
                         f"{', '.join(BACKENDS[backend])}{f' (backends that know it: {others})' if others else ''}")
    return Setting(backend, torch.device("cpu"), "float32" if name == "auto" else name)
