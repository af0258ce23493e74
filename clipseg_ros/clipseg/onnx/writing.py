# SPDX-License-Identifier: Apache-2.0
"""The network as two ONNX graphs: one for the picture, one for the prompts.

encoder.onnx   in   pixels (1, h, w, 3) uint8 RGB, squashed to (h, w) as `preprocessing.squash` does; not normalised
               out  reduced_0, ... (1, 1 + rows * cols, reduce_dim) float32, of each layer, deepest first, and of a stem
decoder.onnx   in   embeddings (prompts, embed_dim) float32, then reduced_0, ...; the number of prompts is free
               out  logits (1, prompts, h, w) float32

and, for those who have no PyTorch, one for the texts:

text_encoder.onnx   in   tokens (prompts, context_length) int64, as `tokenizer.Tokenizer` makes them
                    out  embeddings (prompts, embed_dim) float32

Pixels go in as uint8: normalising inside the graph moves a quarter of the bytes and leaves nobody to normalise with the
wrong numbers. All other shapes are static, which both runtimes reward. The
decoder's reductions are in the encoder, since they are the same for every prompt; so 64 instead of 768 channels
connect the two.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from clipseg_ros.clipseg.decoder import Decoder
from clipseg_ros.clipseg.model import CLIPSeg, with_positions
from clipseg_ros.clipseg.onnx.runtimes import EXPORTERS
from clipseg_ros.clipseg.preprocessing import normalise

ENCODER, DECODER, TEXT_ENCODER = "encoder.onnx", "decoder.onnx", "text_encoder.onnx"

_OPSET = 18
_EXAMPLE_PROMPTS = 2  # torch.export takes 0 and 1 for constants


class _Encoder(nn.Module):
    """Pixels (1, h, w, 3) uint8 -> what `Decoder.reduce` returns."""

    def __init__(self, model: CLIPSeg) -> None:
        super().__init__()
        self._model = model

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        config = self._model.config
        pixels = normalise(pixels.permute(0, 3, 1, 2), config.image_mean, config.image_std)
        return self._model.reduce(self._model.encode_image(pixels)).activations


class _Painter(nn.Module):
    """Embeddings (P, D) and what `Decoder.reduce` returned for one picture -> logits (1, P, h, w)."""

    def __init__(self, decoder: Decoder, grid: tuple[int, int]) -> None:
        super().__init__()
        self._decoder = decoder
        self._grid = grid

    def forward(self, embeddings: Tensor, reduced: list[Tensor]) -> Tensor:
        return self._decoder.paint(reduced, self._grid, embeddings)


def write_graphs(model: CLIPSeg, folder: Path, *, side: int) -> None:
    """Write `ENCODER` and `DECODER` into `folder`, float32, for pictures of side x side pixels.

    model : float32, on the CPU, with plain layers.

    Raises ValueError where this PyTorch cannot write the network. Needs what `require_exporters` looks for.
    """
    grid = model.grid((side, side))
    encoder = _Encoder(with_positions(model, grid)).eval()
    painter = _Painter(model.decoder, grid).eval()
    pixels = torch.zeros((1, side, side, 3), dtype=torch.uint8)
    names = [f"reduced_{index}" for index in range(model.config.reduced_count)]
    with _exporting():
        reduced = list(encoder(pixels))
        _write(encoder, (pixels,), folder / ENCODER, inputs=["pixels"], outputs=names)
        embeddings = torch.zeros((_EXAMPLE_PROMPTS, model.config.clip["embed_dim"]))
        free = ({0: torch.export.Dim("prompts", min=1)}, [{}] * len(reduced))
        _write(painter, (embeddings, reduced), folder / DECODER, inputs=["embeddings", *names], outputs=["logits"],
               dynamic_shapes=free)


class _TextEncoder(nn.Module):
    """Token ids (P, context_length) int64 -> embeddings (P, embed_dim)."""

    def __init__(self, model: CLIPSeg) -> None:
        super().__init__()
        self._model = model

    def forward(self, tokens: Tensor) -> Tensor:
        return self._model.encode_columns(tokens)


def write_text_encoder(model: CLIPSeg, folder: Path) -> None:
    """Write `TEXT_ENCODER` into `folder`, float32. As `write_graphs` otherwise."""
    tokens = torch.zeros((_EXAMPLE_PROMPTS, model.context_length), dtype=torch.int64)
    with _exporting():
        _write(_TextEncoder(model).eval(), (tokens,), folder / TEXT_ENCODER, inputs=["tokens"], outputs=["embeddings"],
               dynamic_shapes=({0: torch.export.Dim("prompts", min=1)},))


def require_exporters() -> None:
    """Raise ImportError, with a sentence that names what to install, unless ONNX files can be written."""
    try:
        for name in EXPORTERS:
            import_module(name)
    except ImportError as error:
        raise ImportError("to export the network as ONNX, packages are needed that are not installed: "
                          f"pip install {' '.join(EXPORTERS)}") from error


def _write(module: nn.Module, example: tuple, path: Path, *, inputs: list[str], outputs: list[str],
           dynamic_shapes: tuple | None = None) -> None:
    try:
        program = torch.onnx.export(module, example, input_names=inputs, output_names=outputs, opset_version=_OPSET,
                                    dynamic_shapes=dynamic_shapes, dynamo=True, verbose=False)
    except Exception as error:  # of the exporter's many parts, each with errors of its own
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ValueError(f"PyTorch {torch.__version__} cannot write this network as ONNX: {reason}") from error
    program.save(path, external_data=False)


@contextlib.contextmanager
def _exporting() -> Iterator[None]:
    """Without gradients, without the fused transformer layer, which has no ONNX form, and without a word."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter about itself
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
