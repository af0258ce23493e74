# SPDX-License-Identifier: Apache-2.0
"""An exported encoder with int8 matrix products.

Weights get a scale for each output channel and take 7 bits, since processors without VNNI overflow in sums of 8-bit
products. Activations get one scale for each product. ONNX Runtime is fast where that is found anew for each picture
("dynamic quantisation"), OpenVINO where it is a constant, found once with a few pictures ("calibration").
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

CALIBRATED = ("openvino",)
"""Backends whose int8 encoder has to be calibrated."""

_PRODUCTS = ("MatMul", "Gemm")


def require_quantiser() -> ModuleType:
    """Return ONNX Runtime's quantiser; raise ImportError, with a sentence that names what to install, without it."""
    try:
        return import_module("onnxruntime.quantization")
    except ImportError as error:
        raise ImportError("to make the network's matrix products int8, for any backend, ONNX Runtime's quantiser is "
                          "needed, which is not installed: pip install onnxruntime") from error


def quantise_dynamically(encoder: Path) -> None:
    """Replace the ONNX file `encoder` by its int8 form for ONNX Runtime."""
    quantization = require_quantiser()
    shaped, target = _with_shapes(encoder), encoder.with_name(f"int8_{encoder.name}")
    quantization.quantize_dynamic(shaped, target, op_types_to_quantize=list(_PRODUCTS), per_channel=True,
                                  reduce_range=True, weight_type=quantization.QuantType.QInt8)
    _finish(shaped, target, encoder)


def quantise_calibrated(encoder: Path, pixels: Sequence[np.ndarray]) -> None:
    """Replace the ONNX file `encoder` by its int8 form for OpenVINO.

    pixels : the encoder's inputs for some pictures. What is beyond their least and largest activation is clipped, so
        they should look like those that a camera will send.
    """
    quantization = require_quantiser()
    shaped, target = _with_shapes(encoder), encoder.with_name(f"int8_{encoder.name}")
    # Only products with weights. In int8, those of the attention would cost far more agreement than they save time.
    options = {"WeightSymmetric": True, "OpTypesToExcludeOutputQuantization": list(_PRODUCTS)}
    quantization.quantize_static(
        os.fspath(shaped), os.fspath(target), _Reader(pixels), quant_format=quantization.QuantFormat.QDQ,
        nodes_to_quantize=_products_with_weights(shaped), per_channel=True, reduce_range=True,
        weight_type=quantization.QuantType.QInt8, activation_type=quantization.QuantType.QUInt8, extra_options=options)
    _finish(shaped, target, encoder)


class _Reader:
    """What `onnxruntime.quantization.CalibrationDataReader` reads: one call an input, then None."""

    def __init__(self, pixels: Sequence[np.ndarray]) -> None:
        self._inputs = iter([{"pixels": each} for each in pixels])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._inputs, None)


def _products_with_weights(file: Path) -> list[str]:
    graph = import_module("onnx").load(file).graph
    weights = {constant.name for constant in graph.initializer}
    return [node.name for node in graph.node if node.op_type in _PRODUCTS and weights.intersection(node.input)]


def _with_shapes(encoder: Path) -> Path:
    """A copy of the file with the shapes that the quantiser asks for."""
    prepare = import_module("onnxruntime.quantization.shape_inference").quant_pre_process
    shaped = encoder.with_name(f"shaped_{encoder.name}")
    # The exporter has inferred the shapes and the runtime will optimise; without this, advice comes to do both first.
    prepare(encoder, shaped, skip_optimization=True, skip_symbolic_shape=True)
    return shaped


def _finish(shaped: Path, target: Path, encoder: Path) -> None:
    shaped.unlink()
    target.replace(encoder)
