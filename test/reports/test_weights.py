# SPDX-License-Identifier: Apache-2.0
"""Weights as other programs leave them: what can be read is read, what cannot is called what it is."""
from __future__ import annotations

import json

import pytest
import tiny_checkpoint
import torch
from safetensors.torch import load_file, save_file

from clipseg_ros.clipseg.weights import hub
from clipseg_ros.clipseg.weights.checkpoints import CheckpointError, load_checkpoint
from clipseg_ros.clipseg.weights.layouts import config_of_hugging_face_clipseg

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small network as transformers writes it: its folder, and the tensors that it loads to."""
    folder = tmp_path_factory.mktemp("written")
    tiny_checkpoint.write(folder)
    return folder, load_checkpoint(folder).model.state_dict()


@pytest.fixture
def folder(written, tmp_path):
    """A copy that a test may change."""
    for file in written[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.fixture
def same(written):
    """Whether the weights at a path are those of the network."""
    def same(path) -> bool:
        state = load_checkpoint(path).model.state_dict()
        return state.keys() == written[1].keys() and all(torch.equal(state[name], written[1][name]) for name in state)
    return same


def diff(values: dict) -> dict:
    """What transformers 4.46 writes of a configuration: what differs from the defaults."""
    defaults = transformers.CLIPSegConfig().to_dict()
    towers = {"text_config": transformers.CLIPSegTextConfig().to_dict(),
              "vision_config": transformers.CLIPSegVisionConfig().to_dict()}
    kept = {name: value for name, value in values.items() if name not in towers and value != defaults.get(name)}
    for name, own in towers.items():
        kept[name] = {key: value for key, value in values[name].items() if value != own.get(key)}
    return {**kept, "model_type": "clipseg"}


@pytest.mark.parametrize("changes", [
    {"vision_config": {"patch_size": 16}, "use_complex_transposed_convolution": True},
    {"vision_config": {"patch_size": 16}, "reduce_dim": 16},
    {},
    {"text_config": {"hidden_size": 256, "intermediate_size": 1024}, "projection_dim": 256},
    {"extract_layers": [1, 5], "decoder_num_attention_heads": 2, "decoder_intermediate_size": 512},
])
def test_a_configuration_of_nothing_but_differences_is_the_whole_one(changes):
    whole = json.loads(transformers.CLIPSegConfig(**changes).to_json_string(use_diff=False))
    whole["model_type"] = "clipseg"
    short = diff(whole)
    assert len(json.dumps(short)) < len(json.dumps(whole)) / 2
    assert (config_of_hugging_face_clipseg(short, origin="short")
            == config_of_hugging_face_clipseg(whole, origin="whole")
            == config_of_hugging_face_clipseg({"model_type": "clipseg", **changes}, origin="changes"))


@pytest.mark.parametrize("tower", ["text_config", "vision_config"])
def test_a_tower_under_its_older_name_is_read_as_transformers_reads_it(tower):
    changes = {tower: {"num_hidden_layers": 5}, f"{tower}_dict": {"num_attention_heads": 4}}
    whole = {**transformers.CLIPSegConfig(**changes).to_dict(), "model_type": "clipseg"}
    short = config_of_hugging_face_clipseg({"model_type": "clipseg", **changes}, origin="short")
    assert short == config_of_hugging_face_clipseg(whole, origin="whole")


def test_a_fine_tuned_network_with_a_configuration_of_differences_loads(folder, same):
    config = folder / "config.json"
    config.write_text(json.dumps(diff(json.loads(config.read_text()))))
    assert same(folder)


@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "bin"])
def test_sharded_weights_load_from_the_folder_and_from_any_part(folder, same, pickled):
    whole = folder / "model.safetensors"
    tensors = load_file(whole)
    whole.unlink()
    stem, ending = ("pytorch_model", ".bin") if pickled else ("model", ".safetensors")
    parts = [f"{stem}-0000{number}-of-00003{ending}" for number in (1, 2, 3)]
    weight_map = {name: parts[index % 3] for index, name in enumerate(sorted(tensors))}
    for part in parts:
        held = {name: tensors[name] for name, place in weight_map.items() if place == part}
        torch.save(held, folder / part) if pickled else save_file(held, folder / part)
    index = folder / f"{stem}{ending}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    assert same(folder) and same(folder / parts[1]) and same(index)
    (folder / parts[2]).unlink()
    with pytest.raises(CheckpointError, match=f"lacks {parts[2]}, one of the files that {index.name} names"):
        load_checkpoint(folder)


@pytest.mark.parametrize("wrap", [
    lambda tensors: {"model": tensors, "epoch": 7, "optimizer": {"lr": 0.1}},
    lambda tensors: {"state_dict": tensors},
    lambda tensors: {"state_dict": {f"model.{name}": tensor for name, tensor in tensors.items()}},
    lambda tensors: {f"module.{name}": tensor for name, tensor in tensors.items()},
    lambda tensors: {"model": {f"_orig_mod.module.{name}": tensor for name, tensor in tensors.items()}},
    lambda tensors: {name.replace("decoder.", "decoder._orig_mod."): tensor for name, tensor in tensors.items()},
])
def test_what_training_programs_put_around_the_weights_is_taken_off(folder, same, wrap):
    torch.save(wrap(load_file(folder / "model.safetensors")), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert same(folder)


@pytest.mark.parametrize(("weights", "config"), [
    ("MODEL.SAFETENSORS", "CONFIG.JSON"), ("Model.Safetensors", "config.json")])
def test_names_in_upper_case_are_found(folder, same, weights, config):
    (folder / "model.safetensors").rename(folder / weights)
    (folder / "config.json").rename(folder / config)
    assert same(folder) and same(folder / weights)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize(("content", "sentence"), [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 603049496\n",
     "is a Git LFS pointer and not the 603,049,496 bytes that it stands for; `git lfs pull`"),
    (b"<!DOCTYPE html>\n<html><head><title>Hugging Face</title>", r"is a web page \(HTML\) instead of the file"),
    (b"Repository not found", "is a text file that begins with 'Repository not found' instead of weights"),
    (b"", "is empty"),
])
def test_what_is_no_weights_is_called_what_it_is(folder, name, content, sentence):
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name} {sentence}"):
        load_checkpoint(folder)


@pytest.mark.parametrize(("value", "kind"), [(float("nan"), "NaN"), (float("inf"), "infinite")])
def test_weights_of_a_training_that_diverged_are_called_that(folder, value, kind):
    tensors = load_file(folder / "model.safetensors")
    tensors["decoder.film_mul.bias"][3] = value
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=rf"holds {kind} weights \(1 of the 8 .* tensor decoder.film_mul.bias\)"):
        load_checkpoint(folder)


def test_missing_weights_name_a_cure_that_can_be_typed(tmp_path, monkeypatch):
    program = tmp_path / "install" / "lib" / "clipseg_ros" / "clipseg"
    program.parent.mkdir(parents=True)
    program.touch()
    (tmp_path / "bin").mkdir()
    ros2 = tmp_path / "bin" / "ros2"
    ros2.touch(mode=0o755)
    for path, prefixes, words in ((f"{tmp_path}/bin", f"{tmp_path}/install", "ros2 run clipseg_ros clipseg"),
                                  ("/usr/bin", f"{tmp_path}/install", str(program)), ("/usr/bin", "", "clipseg")):
        monkeypatch.setenv("PATH", path)
        monkeypatch.setenv("AMENT_PREFIX_PATH", prefixes)
        with pytest.raises(CheckpointError, match=f"; `{words} weights download {hub.names()[0]}` fetches them"):
            load_checkpoint("published", cache_dir=tmp_path / "empty")
