# SPDX-License-Identifier: Apache-2.0
"""Files of named tensors, safetensors or PyTorch's, read without running anything that they hold."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from clipseg_ros.clipseg.weights.standins import HEAD_BYTES, stand_in, text_in_place_of_tensors
from clipseg_ros.clipseg.weights.typed import typed

_HEADER_LENGTH_BYTES = 8
_PICKLE, _ZIP = b"\x80\x02", b"PK\x03\x04"
_DICTIONARIES = ("state_dict", "model_state_dict", "model", "module")
"""Under which name a training program keeps the tensors, beside the state of its own."""

_WRAPPERS = re.compile(r"(?<![^.])(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What parallel training and compilation put before the names of the part that they wrap."""

_ATTRIBUTES = re.compile(r"(?:(?:model|clipseg|network|net)\.)+")
"""What programs call the network inside a class of their own."""


class CheckpointError(ValueError):
    """A checkpoint cannot be found, read or used; the message is one sentence that names file and tensor."""


class TensorFile:
    """The named tensors of one file; those of a safetensors file are read when asked for.

    Raises CheckpointError when the file is truncated, corrupt or holds anything but tensors, and OSError when
    it cannot be opened. The content tells the format, the file's name only where that says nothing.

    Attributes
    ----------
    path : the file.
    metadata : its text metadata, empty for PyTorch files.
    names : the names of its tensors, without what training programs put before them.
    """

    def __init__(self, path: Path):
        self.path = path
        self.metadata: dict[str, str] = {}
        self._lazy = None
        self._tensors: dict[str, Tensor] = {}
        head = _head(path)
        if _is_safetensors(path, head):
            self._lazy = _open_safetensors(path)
            self.metadata = dict(self._lazy.metadata() or {})
            stored = self._lazy.keys()
        else:
            self._tensors = _read_pickle(path, head)
            stored = self._tensors
        self._stored = _plain_names(stored, path)
        self.names = frozenset(self._stored)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of the tensor `name`."""
        stored = self._stored[name]
        if self._lazy is not None:
            return tuple(self._lazy.get_slice(stored).get_shape())
        return tuple(self._tensors[stored].shape)

    def read(self, name: str) -> Tensor:
        """A copy of the tensor `name` as float32; raise CheckpointError for other values than finite floats.

        A copy, because a memory-mapped tensor changes, or ends the process, when somebody rewrites the file.
        """
        stored = self._stored[name]
        tensor = self._lazy.get_tensor(stored) if self._lazy is not None else self._tensors[stored]
        if not tensor.is_floating_point():
            raise CheckpointError(f"{self.path}: tensor {name} holds {tensor.dtype} values instead of floats")
        tensor = tensor.detach().to(torch.float32, copy=True)
        # Looking at every value takes a large network's load a second longer; one bad value shows in the sum.
        if not torch.isfinite(tensor.sum()):
            self._require_finite(tensor, name)
        return tensor

    def _require_finite(self, tensor: Tensor, name: str) -> None:
        wrong = tensor.numel() - int(torch.isfinite(tensor).sum())
        if wrong:
            kind = "NaN" if tensor.isnan().any() else "infinite"
            raise CheckpointError(
                f"{self.path} holds {kind} weights ({wrong} of the {tensor.numel()} values of tensor {name}), as a "
                "training that diverged leaves them; use a file from before that"
            )


def _head(path: Path) -> bytes:
    """The file's first bytes. CheckpointError where they show that it holds no tensors."""
    if path.exists() and not path.is_file():
        raise CheckpointError(f"{path} is a folder, a pipe or a device; weights must be a file")
    with open(path, "rb") as stream:
        head = stream.read(HEAD_BYTES)
    wrong = stand_in(head) or text_in_place_of_tensors(head)
    if wrong is not None:
        raise CheckpointError(f"{path} {wrong}")
    return head


def _is_safetensors(path: Path, head: bytes) -> bool:
    if head.startswith((_PICKLE, _ZIP)):
        return False
    return path.suffix.lower() == ".safetensors" or head[_HEADER_LENGTH_BYTES : _HEADER_LENGTH_BYTES + 1] == b"{"


def _plain_names(stored: Iterable[str], path: Path) -> dict[str, str]:
    """The tensors' names in the file, by the names that the network's own code gave them."""
    names: dict[str, str] = {}
    for name in sorted(stored):
        plain = _WRAPPERS.sub("", name)
        plain = plain[_ATTRIBUTES.match(plain).end() :] if _ATTRIBUTES.match(plain) else plain
        if plain in names:
            raise CheckpointError(f"{path} holds both {names[plain]} and {name}, which name the same tensor; keep one")
        names[plain] = name
    return names


def _open_safetensors(path: Path):
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, UnicodeEncodeError) as error:
        if "utf-8" in str(error).lower():
            raise CheckpointError(f"{path} has a name that is not UTF-8, which safetensors needs; rename it") from error
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
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            return None
    available = size - _HEADER_LENGTH_BYTES - length
    cut = [name for name, end in sorted(ends.items(), key=lambda item: item[1]) if end > available]
    return cut[0] if cut else None


def _read_pickle(path: Path, head: bytes) -> dict[str, Tensor]:
    _check_archive(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        Exception
    ) as error:  # what PyTorch raises for a bad file: EOFError, KeyError, RuntimeError, UnpicklingError ...
        is_pickle = head.startswith((_PICKLE[:1], _ZIP))
        if is_pickle and ("Unsupported" in str(error) or "GLOBAL" in str(error)):
            raise CheckpointError(
                f"{path} holds Python objects besides tensors and is refused for safety; save the network's "
                "state_dict() alone"
            ) from error
        raise CheckpointError(f"{path} is truncated, corrupt or not a PyTorch file of tensors") from error
    content = _unwrap(content)
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{path} holds no dictionary of named tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: the entry {name!r} is a {type(value).__name__} instead of a tensor"
            )
        if value.numel() * value.element_size() > path.stat().st_size:
            raise CheckpointError(f"{path}: tensor {name} has more values than the file has room for")
    return content


def _unwrap(content: object) -> object:
    """The dictionary of tensors in what a training program saved, the content itself where it knows no such name."""
    while isinstance(content, dict):
        inner = next((content[name] for name in _DICTIONARIES if isinstance(content.get(name), dict)), None)
        if inner is None:
            break
        content = inner
    return content


def _check_archive(path: Path) -> None:
    """Raise CheckpointError for a zip file that is a TorchScript program, or that unpacks to more than it has bytes."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise CheckpointError(
            f"{path} is a TorchScript program, which is not run here; the same weights exist as safetensors "
            f"(`{typed('weights download clip-vit-b-16')}`)"
        )
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise CheckpointError(f"{path} is compressed, which PyTorch's files are not; save it with torch.save")
