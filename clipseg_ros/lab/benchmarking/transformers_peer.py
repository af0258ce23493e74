# SPDX-License-Identifier: Apache-2.0
"""transformers' CLIPSeg, called as its documentation shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from clipseg_ros.clipseg.model import CLIPSegConfig
from clipseg_ros.lab.benchmarking import hugging_face


class TransformersPeer:
    """A `peers.Peer`."""

    name = "transformers"

    def __init__(self, folder: Path, config: CLIPSegConfig, *, precision: str, device: torch.device) -> None:
        self._model = hugging_face.load_model(folder, precision, device)
        self._processor = hugging_face.make_processor(config)

    @torch.no_grad()
    def segment(self, image: np.ndarray, prompts: Sequence[str]) -> np.ndarray:
        """As `peers.Peer`."""
        inputs = hugging_face.process(self._processor, image, prompts).to(self._model.device)
        inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
        return hugging_face.to_probabilities(self._model(**inputs).logits, image, prompts)
