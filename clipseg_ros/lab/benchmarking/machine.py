# SPDX-License-Identifier: Apache-2.0
"""What a figure was measured on: processor, GPU, operating system, versions of the packages."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from clipseg_ros import __version__

PACKAGES = ("torch", "open_clip_torch", "numpy", "opencv-python", "transformers", "openvino", "onnxruntime")
"""Packages whose versions matter to the figures, as far as they are installed."""

INSTRUCTION_SETS = {
    "avx2": "AVX2", "avx512f": "AVX-512", "avx_vnni": "AVX-VNNI", "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16", "amx_bf16": "AMX BF16", "amx_int8": "AMX INT8",
    "asimd": "NEON", "sve": "SVE", "bf16": "BF16", "i8mm": "I8MM",
}
"""Flags of Linux's list of processors that decide how fast matrices are multiplied, and names for people."""

_CPUINFO = Path("/proc/cpuinfo")
_BOARD = Path("/proc/device-tree/model")
_BUSY = 0.25


@dataclass(frozen=True)
class Machine:
    """Attributes are for people; `cores` counts the processors that this process may use, `gpu` is None on the CPU."""

    processor: str
    cores: int
    instruction_sets: tuple[str, ...]
    memory_gib: float | None
    system: str
    gpu: str | None


@dataclass(frozen=True)
class Processor:
    """A processor's name, "" where it has none, and those of its flags that `INSTRUCTION_SETS` knows, by its names."""

    name: str
    instruction_sets: tuple[str, ...]


def describe_machine(device: torch.device) -> Machine:
    """Describe this machine, and `device` if it is a GPU."""
    processor = parse_cpuinfo(_read(_CPUINFO))
    name = _read(_BOARD).strip("\0\n ") or processor.name or platform.processor() or platform.machine()
    return Machine(
        processor=name, cores=_usable_cores(), instruction_sets=processor.instruction_sets, memory_gib=_memory(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}", gpu=_describe_gpu(device),
    )


def parse_cpuinfo(text: str) -> Processor:
    """Read the first processor of Linux's /proc/cpuinfo: "model name" and "flags" on x86, "Features" on Arm."""
    first: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        first.setdefault(key.strip(), value.strip())
    flags = set((first.get("flags") or first.get("Features") or "").split())
    sets = tuple(name for flag, name in INSTRUCTION_SETS.items() if flag in flags)
    return Processor(first.get("model name", ""), sets)


def list_versions() -> dict[str, str]:
    """Versions of Python, of this package and of those of `PACKAGES` that are installed."""
    found = {"Python": platform.python_version(), "clipseg_ros": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def other_load() -> str | None:
    """A sentence if the processors are busy, so that figures may be worse than the machine is."""
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # not on every system
        return None
    cores = _usable_cores()
    if load <= _BUSY * cores:
        return None
    return (f"in the minute before, the load was {load:.1f} on {cores} cores: on a machine at rest the figures may be "
            "better")


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return None


def _describe_gpu(device: torch.device) -> str | None:
    if device.type != "cuda":
        return None
    properties = torch.cuda.get_device_properties(device)
    return (f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, compute capability "
            f"{properties.major}.{properties.minor}, CUDA {torch.version.cuda}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
