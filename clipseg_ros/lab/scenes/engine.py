# SPDX-License-Identifier: Apache-2.0
"""MuJoCo, told before its import to draw without a display: with OSMesa if installed, else with EGL."""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import sys

if sys.platform.startswith("linux") and not os.environ.get("MUJOCO_GL"):
    os.environ["MUJOCO_GL"] = "osmesa" if ctypes.util.find_library("OSMesa") else "egl"

if os.environ.get("MUJOCO_GL") == "osmesa":
    # PyOpenGL makes the symbols of OSMesa's LLVM visible to the whole process. Triton, which torch imports
    # sooner or later, brings another LLVM and crashes on meeting that one; the other order does no harm.
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401

try:
    import mujoco
except (ImportError, AttributeError, RuntimeError) as error:
    raise ImportError(
        "rendering needs MuJoCo (pip install mujoco) and OSMesa (apt install libosmesa6) or a working EGL; "
        f"with MUJOCO_GL={os.environ.get('MUJOCO_GL', '')}: {error}"
    ) from error

__all__ = ["mujoco"]
