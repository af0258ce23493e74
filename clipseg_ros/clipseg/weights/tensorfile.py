# SPDX-License-Identifier: Apache-2.0
"""Files of named tensors, safetensors or PyTorch's, read without running anything that they hold."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

_HEADER_LENGTH_BYTES = 8


class CheckpointError(ValueError):
    """A checkpoint cannot be found, read or used; the message is one sentence that names file and tensor."""


class TensorFile:
    """The named tensors of one file; those of a safetensors file are read when asked for.

    Raises CheckpointError when the file is truncated, corrupt or holds anything but tensors, and OSError when
    it cannot be opened.

    Attributes
    ----------
    path : the file.
    metadata : its text metadata, empty for PyTorch files.
    names : the names of its tensors.
    """

    def __init__(self, path: Path):
        self.path = path
        self.metadata: dict[str, str] = {}
        self._lazy = None
        self._tensors: dict[str, Tensor] = {}
        with open(path, "rb"):
            pass
        if path.suffix == ".safetensors":
            self._lazy = _open_safetensors(path)
            self.metadata = dict(self._lazy.metadata() or {})
            self.names = frozenset(self._lazy.keys())
        else:
            self._tensors = _read_pickle(path)
            self.names = frozenset(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of the tensor `name`."""
        if self._lazy is not None:
            return tuple(self._lazy.get_slice(name).get_shape())
        return tuple(self._tensors[name].shape)

    def read(self, name: str) -> Tensor:
        """A copy of the tensor `name` as float32; raise CheckpointError for other values than floats.

        A copy, because a memory-mapped tensor changes, or ends the process, when somebody rewrites the file.
        """
        tensor = self._lazy.get_tensor(name) if self._lazy is not None else self._tensors[name]
        if not tensor.is_floating_point():
            raise CheckpointError(f"{self.path}: tensor {name} holds {tensor.dtype} values instead of floats")
        return tensor.detach().to(torch.float32, copy=True)


def _open_safetensors(path: Path):
    try:
        return safe_open(str(path), framework="pt")
    except SafetensorError as error:
        cut = _first_cut_tensor(path)
        if cut is not None:
            raise CheckpointError(f"{path} is truncated: the data of tensor {cut} is incomplete") from error
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error


def _first_cut_tensor(path: Path) -> str | None:
    """Name of the first tensor whose data a safetensors file lacks, None when its header is bad."""
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(_HEADER_LENGTH_BYTES), "little")
        size = path.stat().st_size
        if length > size:
            return None
        try:
            header = json.loads(stream.read(length))
            ends = {
                name: entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"
            }
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return None
    available = size - _HEADER_LENGTH_BYTES - length
    cut = [name for name, end in sorted(ends.items(), key=lambda item: item[1]) if end > available]
    return cut[0] if cut else None


def _read_pickle(path: Path) -> dict[str, Tensor]:
    if _is_torchscript(path):
        raise CheckpointError(
            f"{path} is a TorchScript program, which is not run here; the same weights exist as safetensors "
            "(`clipseg weights download clip-vit-b-16`)"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        Exception
    ) as error:  # what PyTorch raises for a bad file: EOFError, KeyError, RuntimeError, UnpicklingError ...
        if "Unsupported" in str(error) or "GLOBAL" in str(error):
            raise CheckpointError(
                f"{path} holds Python objects besides tensors and is refused for safety"
            ) from error
        raise CheckpointError(f"{path} is truncated, corrupt or not a PyTorch file of tensors") from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{path} holds no dictionary of named tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: the entry {name!r} is a {type(value).__name__} instead of a tensor"
            )
    return content


def _is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive: a zip file with code and constants beside the data."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(entry.endswith("/constants.pkl") for entry in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False
