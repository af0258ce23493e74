# SPDX-License-Identifier: Apache-2.0
"""Weights in several files that an index in JSON holds together, as `transformers` saves large ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from clipseg_ros.clipseg.weights.standins import HEAD_BYTES, stand_in
from clipseg_ros.clipseg.weights.tensorfile import CheckpointError, TensorFile

INDEX_SUFFIX = ".index.json"


class ShardedFile:
    """The named tensors of all files of an index, with the attributes and methods of a `TensorFile`.

    Raises CheckpointError when the index is wrong, or one of its files is missing or wrong itself.
    """

    def __init__(self, index: Path):
        self.path = index
        self.metadata: dict[str, str] = {}
        self._files: dict[str, TensorFile] = {}
        for name in shard_names(index):
            path = find_file(index.parent, name)
            if path is None:
                raise CheckpointError(f"{index.parent} lacks {name}, one of the files that {index.name} names")
            file = TensorFile(path)
            for tensor in file.names:
                if tensor in self._files:
                    raise CheckpointError(f"{path} holds tensor {tensor}, which {self._files[tensor].path} holds too")
                self._files[tensor] = file
        self.names = frozenset(self._files)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of the tensor `name`."""
        return self._files[name].shape(name)

    def read(self, name: str) -> Tensor:
        """A copy of the tensor `name` as float32; CheckpointError as for a `TensorFile`."""
        return self._files[name].read(name)


def shard_names(index: Path) -> list[str]:
    """The names of the files of an index; CheckpointError for an index that is none, or names other folders."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise CheckpointError(f"{index} has no weight_map from tensors to files, so it is no index of weights")
    names = sorted(set(places.values()))
    for name in names:
        if Path(name).name != name or name == ".." or "\\" in name:
            raise CheckpointError(f"{index} names the file {name!r}, but its files must lie beside it")
    return names


def open_tensors(path: Path) -> TensorFile | ShardedFile:
    """The tensors of a file; of all files of its index where it is one of several, or the index itself."""
    if path.name.lower().endswith(INDEX_SUFFIX):
        return ShardedFile(path)
    if path.suffix.lower() == ".json":
        raise CheckpointError(f"{path} holds no weights; name its folder {path.parent} instead")
    if "-of-" in path.name:
        for index in sorted(path.parent.glob(f"*{INDEX_SUFFIX}")):
            if path.name in shard_names(index):
                return ShardedFile(index)
    return TensorFile(path)


def find_file(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder, whatever the case of its letters; None where there is none."""
    if (folder / name).is_file():
        return folder / name
    alike = (path for path in sorted(folder.iterdir()) if path.name.lower() == name.lower() and path.is_file())
    return next(alike, None)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; CheckpointError for anything else."""
    content = path.read_bytes()
    wrong = stand_in(content[:HEAD_BYTES])
    if wrong is not None:
        raise CheckpointError(f"{path} {wrong}")
    try:
        values = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds a {type(values).__name__} instead of a JSON object")
    return values
