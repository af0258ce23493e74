# SPDX-License-Identifier: Apache-2.0
"""OpenVINO, given the whole network of transformers, texts and all, as its documentation shows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clipseg_ros.clipseg.model import CLIPSegConfig
from clipseg_ros.clipseg.onnx import runtimes
from clipseg_ros.lab.benchmarking import hugging_face

_EXAMPLE_PROMPTS = 2
_INPUTS = ("input_ids", "attention_mask", "pixel_values")


class OpenVinoPeer:
    """A `peers.Peer`, on the CPU with as many threads as PyTorch has.

    The network is compiled for the number of prompts of the latest call, since OpenVINO is fastest with static shapes.
    """

    name = "openvino"

    def __init__(self, folder: Path, config: CLIPSegConfig, *, precision: str, device: torch.device) -> None:
        if device.type != "cpu":
            raise ValueError(f"OpenVINO runs on the CPU, and this is measured on {device}")
        openvino = _require(precision)
        self._side = config.image_size
        self._processor = hugging_face.make_processor(config)
        self._converted = _convert(openvino, hugging_face.load_model(folder, "float32", device), self._side)
        self._settings = {"precision": precision, "threads": torch.get_num_threads()}
        self._prompts = 0
        self._request: Any = None

    def segment(self, image: np.ndarray, prompts: Sequence[str]) -> np.ndarray:
        """As `peers.Peer`."""
        if len(prompts) != self._prompts:
            self._compile(len(prompts))
        inputs = hugging_face.process(self._processor, image, prompts)
        logits = self._request.infer([inputs[name].numpy() for name in _INPUTS], share_inputs=True)[0]
        return hugging_face.to_probabilities(torch.from_numpy(logits), image, prompts)

    def _compile(self, prompts: int) -> None:
        self._request = None  # the weights of two compiled networks may be more than the memory holds
        model = self._converted.clone()
        shapes = [[prompts, *rest] for rest in _shapes(self._side)]
        model.reshape(dict(zip(model.inputs, shapes)))
        self._request = runtimes.compile_openvino(model, **self._settings).create_infer_request()
        self._prompts = prompts


class _Whole(nn.Module):
    """The network with its inputs in a fixed order and one output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, pixel_values: Tensor) -> Tensor:
        return self._model(input_ids=input_ids, attention_mask=attention_mask, pixel_values=pixel_values).logits


def _require(precision: str) -> ModuleType:
    try:
        return runtimes.require("openvino", precision)
    except ImportError as error:
        raise ImportError("openvino is not installed: pip install openvino") from error


def _convert(openvino: ModuleType, model: nn.Module, side: int) -> Any:
    """OpenVINO's form of the network, for any number of prompts; ValueError where the versions do not fit together."""
    tokens, mask, pixels = ((_EXAMPLE_PROMPTS, *rest) for rest in _shapes(side))
    example = (torch.ones(tokens, dtype=torch.int64), torch.ones(mask, dtype=torch.int64), torch.zeros(pixels))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about shapes that are static here
            return openvino.convert_model(_Whole(model).eval(), example_input=example)
    except Exception as error:  # of OpenVINO's and PyTorch's many parts, each with errors of its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"OpenVINO cannot take over the network of transformers: {reason[0]}") from error


def _shapes(side: int) -> tuple[tuple[int, ...], ...]:
    """Of `_INPUTS`, without the number of prompts."""
    return (hugging_face.TOKENS,), (hugging_face.TOKENS,), (3, side, side)
