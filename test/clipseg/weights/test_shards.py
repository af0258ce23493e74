# SPDX-License-Identifier: Apache-2.0
"""Weights in several files are one set of tensors, and an index that cannot be followed says why."""

import json

import pytest
import torch
from safetensors.torch import save_file

from clipseg_ros.clipseg.weights.shards import ShardedFile, find_file, open_tensors, read_json
from clipseg_ros.clipseg.weights.tensorfile import CheckpointError, TensorFile

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.fixture
def folder(tmp_path):
    save_file({"model.a": torch.zeros(2), "model.b": torch.ones(3)}, tmp_path / FIRST)
    save_file({"model.c": torch.full((4,), 2.0)}, tmp_path / SECOND)
    write_index(tmp_path, {"model.a": FIRST, "model.b": FIRST, "model.c": SECOND})
    return tmp_path


def write_index(folder, weight_map):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


@pytest.mark.parametrize("name", ["model.safetensors.index.json", FIRST, SECOND])
def test_all_parts_are_read_whichever_of_them_is_named(folder, name):
    file = open_tensors(folder / name)
    assert isinstance(file, ShardedFile)
    assert file.path == folder / "model.safetensors.index.json"
    assert file.names == {"a", "b", "c"}
    assert file.shape("b") == (3,)
    assert torch.equal(file.read("c"), torch.full((4,), 2.0))


def test_a_file_that_no_index_names_is_one_file(folder):
    other = folder / "other-00001-of-00002.safetensors"
    save_file({"a": torch.zeros(2)}, other)
    assert isinstance(open_tensors(other), TensorFile)


def test_a_missing_part_is_named(folder):
    (folder / SECOND).unlink()
    with pytest.raises(CheckpointError, match=f"lacks {SECOND}, one of the files that model.* names"):
        open_tensors(folder / FIRST)


def test_a_tensor_in_two_parts_is_refused(folder):
    save_file({"a": torch.zeros(2)}, folder / SECOND)
    with pytest.raises(CheckpointError, match=f"{SECOND} holds tensor a, which .*{FIRST} holds too"):
        open_tensors(folder / FIRST)


@pytest.mark.parametrize("weight_map", [None, {}, {"a": 3}, ["a"]])
def test_an_index_without_a_map_is_refused(folder, weight_map):
    write_index(folder, weight_map)
    with pytest.raises(CheckpointError, match="has no weight_map"):
        open_tensors(folder / "model.safetensors.index.json")


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "parts/model.safetensors", "..", "a\\b"])
def test_an_index_does_not_lead_out_of_its_folder(folder, name):
    write_index(folder, {"a": name})
    with pytest.raises(CheckpointError, match="names the file .*, but its files must lie beside it"):
        open_tensors(folder / "model.safetensors.index.json")


def test_a_configuration_is_no_file_of_weights(folder):
    (folder / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="config.json holds no weights; name its folder"):
        open_tensors(folder / "config.json")


def test_a_file_is_found_by_its_very_name_first(tmp_path):
    for name in ("CONFIG.json", "Config.json"):
        (tmp_path / name).touch()
    assert find_file(tmp_path, "Config.json") == tmp_path / "Config.json"
    assert find_file(tmp_path, "config.json") == tmp_path / "CONFIG.json"
    assert find_file(tmp_path, "other.json") is None


def test_json_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf{\"a\": 1}")
    assert read_json(tmp_path / "config.json") == {"a": 1}
