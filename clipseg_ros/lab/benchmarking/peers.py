# SPDX-License-Identifier: Apache-2.0
"""Other programs that run CLIPSeg, as far as they are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from clipseg_ros.clipseg.model import CLIPSegConfig
from clipseg_ros.lab.benchmarking import hugging_face
from clipseg_ros.lab.benchmarking.machine import describe_machine
from clipseg_ros.lab.benchmarking.openvino_peer import OpenVinoPeer
from clipseg_ros.lab.benchmarking.transformers_peer import TransformersPeer


class Peer(Protocol):
    """Segments images as `Segmenter.segment` does, all of the way from the camera's image and the texts."""

    name: str

    def segment(self, image: np.ndarray, prompts: Sequence[str]) -> np.ndarray:
        """(H, W, 3) uint8 RGB and one or more texts -> (n, H, W) float32 probabilities."""


PEERS: Mapping[str, Callable[..., Peer]] = {"transformers": TransformersPeer, "openvino": OpenVinoPeer}
"""Each is made of a checkpoint in the Hugging Face layout, its configuration, a precision and a device, and raises
ImportError or ValueError with one sentence where that cannot be. A new peer is a new entry."""


def open_peers(
    folder: Path | None, config: CLIPSegConfig, *, precision: str, device: torch.device, names: Iterable[str] = PEERS
) -> tuple[list[Peer], list[str]]:
    """The peers that can run here, and a sentence for each that cannot.

    Parameters
    ----------
    folder : checkpoint in the Hugging Face layout; None for weights that the peers cannot read.
    precision : what this package computes in; see `precision_of_peers`.
    names : of `PEERS`, which to open.
    """
    peers, left_out = [], []
    for name in names:
        try:
            if folder is None:
                hugging_face.require()
                raise ValueError("it reads folders in the Hugging Face layout alone, and these weights are none")
            peers.append(PEERS[name](folder, config, precision=precision_of_peers(precision, device), device=device))
        except (ImportError, ValueError) as error:
            left_out.append(f"{name} is left out: {error}")
    return peers, left_out


def precision_of_peers(precision: str, device: torch.device) -> str:
    """What peers compute in beside this package in `precision`: the same, or the fastest that they have.

    They have no int8 without a calibration of each one's own, and on a CPU, PyTorch's float16 is many times slower than
    float32.
    """
    if precision == "int8":
        sets = describe_machine(device).instruction_sets
        return "bfloat16" if any("BF16" in name for name in sets) else "float32"
    return "float32" if precision == "float16" and device.type == "cpu" else precision
