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
        (lambda path: path.write_bytes(b""), "truncated, corrupt"),
        (lambda path: path.write_bytes(b"hello world"), "truncated, corrupt"),
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
