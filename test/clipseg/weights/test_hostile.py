# SPDX-License-Identifier: Apache-2.0
"""Damaged and hostile checkpoints and pictures: one sentence each, nothing in them is run, nothing hangs."""
from __future__ import annotations

import json
import os
import pickle
import random
import re
import shutil
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_checkpoint
import torch
from pictures import PICTURE
from safetensors.torch import load_file, save_file

from clipseg_ros.cli import main
from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint, save_checkpoint
from clipseg_ros.lab.datasets.image_files import read_image

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = 50
SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> Path:
    """A small network in the published layout as safetensors, zipped and plain pickle, and a file of our own."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("originals")
    tiny_checkpoint.write(folder)
    tensors = load_file(folder / SAFETENSORS)
    torch.save(tensors, folder / PICKLE)
    torch.save(tensors, folder / "plain.bin", _use_new_zipfile_serialization=False)
    save_checkpoint(CLIPSeg(SMALL), folder / "own.safetensors", half=True)
    return folder


@pytest.fixture
def folder(originals, tmp_path) -> Path:
    """The same, to be broken."""
    return shutil.copytree(originals, tmp_path / "network")


def sentence(call, *arguments) -> str:
    """What it says in its refusal."""
    with pytest.raises((ValueError, OSError)) as caught:
        call(*arguments)
    assert str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


FILES = (SAFETENSORS, PICKLE, "plain.bin", "own.safetensors")


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_anywhere_is_refused(folder, name):
    path = folder / name
    content = path.read_bytes()
    for step in range(STEPS):
        path.write_bytes(content[:len(content) * step // STEPS])
        assert str(path) in sentence(load_checkpoint, path)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_refused_or_changes_a_number(folder, name):
    path = folder / name
    content = path.read_bytes()
    rng = random.Random(0)
    ends = 4096  # names, shapes and the index of a zip file
    for _ in range(STEPS // 2):
        at = rng.choice((rng.randrange(ends), -rng.randrange(1, ends), rng.randrange(len(content)))) % len(content)
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1:])
        try:
            model = load_checkpoint(path).model
        except (ValueError, OSError) as error:
            assert str(error) and "\n" not in str(error)
        else:
            assert all(tensor.isfinite().all() for tensor in model.parameters())


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self):
        return open, (self._path, "w")


def pickled(protocol: int):
    return lambda path, trap: path.write_bytes(pickle.dumps({"film_mul.weight": trap}, protocol=protocol))


def bomb(path, trap):
    """A zip file of a thousandth of what it holds."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
        archive.writestr("archive/version", "3")


def hollow(path, trap):
    """One number that says of itself that it is many."""
    torch.save({"a": torch.zeros(1).expand(100_000, 100_000)}, path)


@pytest.mark.parametrize(("write", "said"), [
    (lambda path, trap: torch.save({"film_mul.weight": trap}, path), "refused for safety"),
    (lambda path, trap: torch.save({"a": torch.zeros(2), "optimizer": [trap]}, path), "refused for safety"),
    (pickled(0), "is a text file"), (pickled(2), "refused for safety"), (pickled(4), "not a PyTorch file|refused"),
    (bomb, "compressed"), (hollow, "more values than"),
])
@pytest.mark.parametrize("name", [PICKLE, "decoder.pth"])
def test_a_pickle_is_not_run_and_not_blown_up(folder, tmp_path, write, said, name):
    trapped = tmp_path / "trapped"
    (folder / SAFETENSORS).unlink()
    (folder / "plain.bin").unlink()
    write(folder / name, Trap(trapped))
    told = sentence(load_checkpoint, folder if name == PICKLE else folder / name)
    assert re.search(said, told)
    assert not trapped.exists()


def test_a_pickle_that_an_index_names_is_not_run(folder, tmp_path):
    (folder / SAFETENSORS).unlink()
    torch.save({"a": Trap(tmp_path / "trapped")}, folder / PICKLE)
    (folder / f"{SAFETENSORS}.index.json").write_text(json.dumps({"weight_map": {"a": PICKLE}}))
    assert "refused for safety" in sentence(load_checkpoint, folder)
    assert not (tmp_path / "trapped").exists()


def change(folder: Path, edit) -> Path:
    tensors = load_file(folder / SAFETENSORS)
    name = "decoder.film_mul.weight"
    tensors[name] = edit(tensors[name])
    save_file(tensors, folder / SAFETENSORS)
    return folder


def complex_(folder: Path) -> Path:
    """Not every version of safetensors writes such numbers; their size is that of a double."""
    file = change(folder, lambda tensor: tensor.double()) / SAFETENSORS
    file.write_bytes(file.read_bytes().replace(b'"F64"', b'"C64"', 1))
    return folder


def configure(**values):
    def write(folder: Path) -> Path:
        config = json.loads((folder / "config.json").read_text())
        for key, value in values.items():
            part, _, name = key.rpartition("__")
            (config[part] if part else config)[name] = value
        (folder / "config.json").write_text(json.dumps(config))
        return folder
    return write


def written(name: str, content: bytes):
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder
    return write


def linked(folder: Path) -> Path:
    (folder / SAFETENSORS).unlink()
    (folder / SAFETENSORS).symlink_to(SAFETENSORS)
    (folder / PICKLE).unlink()
    return folder


def special(folder: Path) -> Path:
    os.mkfifo(folder / "fifo.safetensors")
    return folder / "fifo.safetensors"


def own_with(**changes):
    """A file of our own whose configuration says another thing than its tensors."""
    def write(folder: Path) -> Path:
        config = json.dumps(replace(SMALL, **changes).to_dict())
        save_file(load_file(folder / "own.safetensors"), folder / "own.safetensors",
                  metadata={"format": "clipseg_ros", "version": "1", "config": config})
        return folder / "own.safetensors"
    return write


@pytest.mark.parametrize("write", [
    lambda folder: change(folder, lambda tensor: tensor[..., :-1].contiguous()),
    lambda folder: change(folder, lambda tensor: tensor[None]),
    lambda folder: change(folder, lambda tensor: tensor.flatten()),
    lambda folder: change(folder, lambda tensor: tensor[:0]),
    lambda folder: change(folder, lambda tensor: tensor * float("nan")),
    complex_,
    configure(vision_config__num_hidden_layers=10**8), configure(text_config__num_hidden_layers=10**8),
    configure(vision_config__hidden_size=10**30), configure(text_config__hidden_size=-12), configure(reduce_dim=0),
    configure(reduce_dim=10**12), configure(vision_config__patch_size=0), configure(vision_config__image_size=10**9),
    configure(extract_layers=[0] * 10**6), configure(extract_layers=["a"]), configure(extract_layers=[-1]),
    configure(decoder_intermediate_size=-1), configure(projection_dim=True),
    own_with(extract_layers=(0, 1, 10**9)), own_with(image_size=-5), own_with(visual_prompt_size=10**9),
    own_with(image_mean=("a", 1, 2)),
    own_with(token_ids=5), own_with(clip={**SMALL.clip, "vision_cfg": 3}), own_with(reduce_dim="many"),
    own_with(clip={**SMALL.clip, "text_cfg": {**SMALL.clip["text_cfg"], "layers": 10**8}}),
    own_with(image_std=(0.0, 0.0, 0.0)), own_with(image_mean=(float("nan"),) * 3), own_with(decoder_heads=0),
    written("config.json", b"[" * 100_000), written("config.json", b'{"a":' * 100_000),
    written("config.json", b'{"reduce_dim": ' + b"9" * 5000 + b"}"), written("config.json", b"\xff\xfe{\0}\0"),
    written("preprocessor_config.json", b'{"image_mean": [NaN, 0, 0]}'),
    written("preprocessor_config.json", b'{"size": {"height": 1000000000, "width": 1000000000}}'),
    written(SAFETENSORS, struct.pack("<Q", 2**63) + b"{}"), written(SAFETENSORS, struct.pack("<Q", 2) + b"{}"),
    written(SAFETENSORS, struct.pack("<Q", 200_000) + b"[" * 200_000),
    linked, special, lambda folder: Path("/dev/zero"), lambda folder: folder / ("a" * 300),
    lambda folder: folder / "a\0b",
])
def test_it_is_refused_in_a_sentence(folder, write):
    sentence(load_checkpoint, write(folder))


@pytest.mark.parametrize("target", [
    "../x.safetensors", "..", ".", "", "a/../../x", "/etc/passwd", "a\0b", "x" * 300, "part"])
def test_an_index_names_files_beside_it_alone(folder, target):
    (folder / SAFETENSORS).rename(folder.parent / "x.safetensors")
    (folder / PICKLE).unlink()
    (folder / "part").symlink_to("part")
    (folder / f"{SAFETENSORS}.index.json").write_text(json.dumps({"weight_map": {"a": target}}))
    sentence(load_checkpoint, folder)


@pytest.fixture(scope="module")
def network() -> Segmenter:
    return Segmenter(CLIPSeg(SMALL), device="cpu", name="small", trained=False)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(path):
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(bytes(100))) + png_chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)


@pytest.mark.parametrize("write", [
    huge_png, os.mkfifo, lambda path: path.symlink_to(path.name), lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.write_bytes(pickle.dumps(Trap(path.with_name("trapped")))),
    lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\xff" * 1000),
    lambda path: path.write_bytes(b"BM" + b"\xff" * 60),
], ids=["huge", "fifo", "loop", "zeros", "pickle", "png", "bmp"])
def test_the_command_refuses_a_picture_in_a_sentence(tmp_path, capsys, monkeypatch, network, write):
    monkeypatch.setattr(Segmenter, "load", lambda *_, **__: network)
    path = tmp_path / "a.png"
    write(path)
    assert main(["segment", str(path), "-p", "mug"]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if str(path) in line]
    assert len(said) == 1 and "Traceback" not in said[0]
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "bmp"])
def test_a_damaged_picture_is_read_or_refused_in_a_sentence(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), PICTURE)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    rng = random.Random(0)
    for step in range(2 * STEPS):
        damaged = content[:len(content) * step // STEPS].copy() if step < STEPS else content.copy()
        if step >= STEPS:
            damaged[rng.randrange(min(len(content), 200))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged.tobytes())
        try:
            assert read_image(path).shape[2] == 3
        except (ValueError, OSError) as error:
            assert str(path) in str(error) and "\n" not in str(error)
