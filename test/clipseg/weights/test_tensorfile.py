# SPDX-License-Identifier: Apache-2.0
"""Files of tensors: what is read is right, what is wrong is named, and nothing in them is run."""

import json
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from clipseg_ros.clipseg.weights.tensorfile import CheckpointError, TensorFile

TENSORS = {
    "half": torch.full((2, 3), 0.5, dtype=torch.float16),
    "whole": torch.arange(4),
    "wide": torch.ones(5, dtype=torch.float64),
}


@pytest.mark.parametrize("name", ["a.safetensors", "a.bin"])
def test_tensors_come_as_floats_of_their_own(tmp_path, name):
    path = tmp_path / name
    save_file(TENSORS, path, metadata={"key": "value"}) if name == "a.safetensors" else torch.save(
        TENSORS, path
    )
    file = TensorFile(path)
    assert file.names == set(TENSORS)
    assert file.shape("half") == (2, 3)
    assert file.metadata == ({"key": "value"} if name == "a.safetensors" else {})
    assert torch.equal(file.read("half"), torch.full((2, 3), 0.5))
    wide = file.read("wide")
    assert wide.dtype == torch.float32
    path.write_bytes(bytes(len(path.read_bytes())))
    assert torch.equal(wide, torch.ones(5))
    with pytest.raises(CheckpointError, match=f"{name}: tensor whole holds torch.int64"):
        file.read("whole")


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        TensorFile(tmp_path / "nothing.safetensors")


def test_a_truncated_safetensors_file_names_the_first_tensor_that_is_cut(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"first": torch.zeros(100), "second": torch.zeros(100), "third": torch.zeros(100)}, path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    start = json.loads(content[8 : 8 + length])["second"]["data_offsets"][0] + 8 + length
    path.write_bytes(content[: start + 4])
    with pytest.raises(CheckpointError, match="a.safetensors is truncated: the data of tensor second"):
        TensorFile(path)


class Trap:
    def __reduce__(self):
        return (print, ("run from a pickle",))


def torchscript(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/constants.pkl", b"")
        archive.writestr("archive/code/__torch__.py", b"")


def truncated(path):
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:700])


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: torch.save({"film_mul.weight": Trap()}, path), "refused for safety"),
        (
            lambda path: path.write_bytes(pickle.dumps({"film_mul.weight": Trap()}, protocol=2)),
            "refused for safety",
        ),
        (torchscript, "TorchScript program"),
        (truncated, "truncated, corrupt"),
        (lambda path: path.write_bytes(b"\x80\x02hello world"), "truncated, corrupt"),
        (lambda path: path.write_bytes(bytes(100)), "truncated, corrupt"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"Invalid username\n"), "a text file that begins with 'Invalid username'"),
        (lambda path: torch.save([1, 2], path), "no dictionary"),
        (lambda path: torch.save({"epoch": 3}, path), "'epoch' is a int"),
    ],
)
def test_a_bad_pytorch_file_is_refused_and_not_run(tmp_path, capsys, write, message):
    path = tmp_path / "decoder.pth"
    write(path)
    with pytest.raises(CheckpointError, match=message) as caught:
        TensorFile(path)
    assert str(path) in str(caught.value)
    assert "run from a pickle" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a.SAFETENSORS", "a.bin", "a"])
def test_the_content_tells_safetensors(tmp_path, name):
    save_file(TENSORS, tmp_path / name)
    assert torch.equal(TensorFile(tmp_path / name).read("half"), torch.full((2, 3), 0.5))


@pytest.mark.parametrize("name", ["a.safetensors", "a.PTH"])
@pytest.mark.parametrize("zipped", [True, False])
def test_the_content_tells_pytorchs_format(tmp_path, name, zipped):
    torch.save(TENSORS, tmp_path / name, _use_new_zipfile_serialization=zipped)
    assert torch.equal(TensorFile(tmp_path / name).read("half"), torch.full((2, 3), 0.5))


@pytest.mark.parametrize("wrap", [
    lambda tensors: {"state_dict": tensors, "epoch": 3},
    lambda tensors: {"model": tensors, "optimizer": {"state": {}}},
    lambda tensors: {"model_state_dict": tensors},
    lambda tensors: {"model": {"state_dict": tensors}},
])
def test_what_training_programs_put_around_the_tensors(tmp_path, wrap):
    torch.save(wrap(TENSORS), tmp_path / "a.pt")
    assert TensorFile(tmp_path / "a.pt").names == set(TENSORS)


@pytest.mark.parametrize(("stored", "plain"), [
    ("module.decoder.film_mul.bias", "decoder.film_mul.bias"),
    ("_orig_mod.module.decoder.film_mul.bias", "decoder.film_mul.bias"),
    ("model._orig_mod.clip.logit_scale", "clip.logit_scale"),
    ("model.model.clip.logit_scale", "clip.logit_scale"),
    ("decoder._orig_mod.film_mul.bias", "decoder.film_mul.bias"),
    ("clip.text_model.final_layer_norm.bias", "clip.text_model.final_layer_norm.bias"),
    ("submodule.bias", "submodule.bias"),
    ("clip.model.bias", "clip.model.bias"),
])
def test_names_lose_what_wrappers_put_before_them(tmp_path, stored, plain):
    save_file({stored: torch.arange(3.0)}, tmp_path / "a.safetensors")
    file = TensorFile(tmp_path / "a.safetensors")
    assert file.names == {plain}
    assert file.shape(plain) == (3,)
    assert torch.equal(file.read(plain), torch.arange(3.0))


def test_one_tensor_under_two_names_is_refused(tmp_path):
    save_file({"module.a": torch.zeros(1), "model.a": torch.ones(1)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="holds both model.a and module.a, which name the same tensor"):
        TensorFile(tmp_path / "a.safetensors")


@pytest.mark.parametrize(("value", "kind"), [("nan", "NaN"), ("inf", "infinite"), ("1e300", "infinite")])
def test_a_value_that_is_not_finite_is_called_that(tmp_path, value, kind):
    tensor = torch.zeros(2, 3, dtype=torch.float64)
    tensor[1, 2] = float(value)
    save_file({"a.bias": tensor}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match=rf"holds {kind} weights \(1 of the 6 values of tensor a.bias\)"):
        TensorFile(tmp_path / "a.safetensors").read("a.bias")


def test_a_file_name_that_is_not_utf_8(tmp_path):
    save_file(TENSORS, tmp_path / "plain.safetensors")
    torch.save(TENSORS, tmp_path / "plain.bin")
    (tmp_path / "plain.safetensors").rename(tmp_path / "caf\udce9.safetensors")
    (tmp_path / "plain.bin").rename(tmp_path / "caf\udce9.bin")
    with pytest.raises(CheckpointError, match="not UTF-8, which safetensors needs; rename it"):
        TensorFile(tmp_path / "caf\udce9.safetensors")
    assert TensorFile(tmp_path / "caf\udce9.bin").names == set(TENSORS)


def test_values_whose_sum_is_not_finite_are_fine(tmp_path):
    save_file({"a": torch.full((4,), 3e38)}, tmp_path / "a.safetensors")
    assert torch.equal(TensorFile(tmp_path / "a.safetensors").read("a"), torch.full((4,), 3e38))
