# SPDX-License-Identifier: Apache-2.0
"""OpenVINO and ONNX Runtime, optional: open an ONNX file and run it on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Session = Callable[[Sequence[np.ndarray]], list[np.ndarray]]
"""Takes the graph's inputs and returns its outputs, both in the graph's order. Not for several threads at once."""

EXPORTERS = ("onnx", "onnxscript")
"""Packages that are needed to write ONNX files, but not to run them."""

_OPENVINO_TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_OPENVINO_CAPABILITIES = {"bfloat16": "BF16", "float16": "FP16"}


def require(backend: str, precision: str = "float32") -> ModuleType:
    """Return the package of `backend`.

    Raises ImportError, with a sentence that names what to install, where it is missing, and ValueError for a precision
    that this processor lacks.
    """
    try:
        package = import_module(backend)
    except ImportError as error:
        raise ImportError(f"the backend {backend} needs packages that are not installed: "
                          f"pip install {' '.join((backend, *EXPORTERS))}") from error
    capability = _OPENVINO_CAPABILITIES.get(precision)
    if capability and capability not in _openvino_capabilities():
        raise ValueError(f"precision is {precision!r}, but OpenVINO finds no {precision} arithmetic in this processor; "
                         "float32 works everywhere")
    return package


def describe(backend: str) -> str:
    """Name and version of the package of `backend`."""
    return f"{backend} {require(backend).__version__.partition('-')[0]}"


def open_session(backend: str, path: Path, *, precision: str, threads: int) -> Session:
    """Open an ONNX file on the CPU with so many threads.

    precision : float32; for OpenVINO also bfloat16 or float16. An int8 graph says itself where it is int8; with int8,
        OpenVINO computes the rest in bfloat16 where the processor has it.

    Raises ImportError and ValueError as `require`, RuntimeError for a file that cannot be used.
    """
    package = require(backend, precision)
    if backend == "openvino":
        return _open_openvino(path, precision, threads)
    return _open_onnxruntime(package, path, threads)


@cache
def openvino_core() -> Any:
    """The process's one `openvino.Core`, which lives as long as the process.

    A core gives the thread that compiles a signal stack. Of two cores, the one that goes last puts back the stack of
    the one that went before, and the next signal that Python handles ends the process (seen with OpenVINO 2026.4).
    """
    return import_module("openvino").Core()


def compile_openvino(network: Any, *, precision: str, threads: int) -> Any:
    """An `openvino.CompiledModel` for single requests on the CPU, of a file's path or of an `openvino.Model`."""
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": _OPENVINO_TYPES[_beside_int8() if precision == "int8" else precision]}
    return openvino_core().compile_model(network, "CPU", settings)


def _openvino_capabilities() -> Sequence[str]:
    return openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _beside_int8() -> str:
    """The precision of what is not int8."""
    return "bfloat16" if _OPENVINO_CAPABILITIES["bfloat16"] in _openvino_capabilities() else "float32"


def _open_openvino(path: Path, precision: str, threads: int) -> Session:
    compiled = compile_openvino(str(path), precision=precision, threads=threads)
    request, outputs = compiled.create_infer_request(), range(len(compiled.outputs))

    def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        results = request.infer(list(inputs), share_inputs=True)
        return [results[index] for index in outputs]

    return run


def _open_onnxruntime(onnxruntime: ModuleType, path: Path, threads: int) -> Session:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    return lambda inputs: session.run(None, dict(zip(names, inputs)))
