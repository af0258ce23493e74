# SPDX-License-Identifier: Apache-2.0
"""A disk that is full costs nothing that was good, leaves no half file under a final name, and is one sentence."""
from __future__ import annotations

import csv
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import shapes
import yaml
from full_disk import full_disk
from hub_server import Hub
from networks import TINY

from clipseg_ros.cli import main
from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.clipseg.weights import hub
from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint, save_checkpoint
from clipseg_ros.clipseg.weights.tensorfile import CheckpointError
from clipseg_ros.clipseg.whole_files import replacing
from clipseg_ros.lab.datasets.folder import FolderWriter, read_folder
from clipseg_ros.web.collection import Collection
from clipseg_ros.web.source import Thing, View

REASON = "File too large"
"""What the operating system says here; of a real full disk it says that no space is left."""


def names(folder) -> set[str]:
    """What is in a folder and those below it."""
    return {path.name for path in folder.rglob("*")}


def test_a_download(tmp_path, monkeypatch):
    release = hub.find_release("somebody/weights@" + "a" * 40)
    with Hub({"config.json": b"{}", "model.safetensors": bytes(500_000)}) as server:
        server.serve(monkeypatch)
        with full_disk(100_000), pytest.raises(CheckpointError, match=f"model.safetensors from .* failed, .*{REASON}"):
            hub.download(release, cache_dir=tmp_path)
        assert hub.find_cached(release, cache_dir=tmp_path) is None
        assert not [name for name in names(tmp_path) if name.endswith(".incomplete")]
        assert (hub.download(release, cache_dir=tmp_path) / "model.safetensors").stat().st_size == 500_000


def test_weights_are_as_they_were(tmp_path, capsys):
    source, target = tmp_path / "own.safetensors", tmp_path / "half.safetensors"
    save_checkpoint(CLIPSeg(SMALL), source)
    target.write_bytes(before := source.read_bytes())
    with full_disk(1_000_000):
        assert main(["weights", "convert", str(source), str(target), "--half"]) == 1
    assert f"{target} cannot be written: " in (said := capsys.readouterr().err) and REASON in said
    assert target.read_bytes() == before and names(tmp_path) == {source.name, target.name}


@pytest.mark.parametrize("room", [20_000, 200_000])
def test_a_training_goes_on_from_its_last_checkpoint(tmp_path, capsys, room):
    shapes.write_scenes(tmp_path / "home", 4, side=32)
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({
        "vocabulary": "home", "network": TINY, "end_to_end": True, "optimiser": {"average": 0.9},
        "data": {"kind": "scenes", "workers": 0, "validation_batches": 1},
        "scenes": {"side": 32, "batch_size": 2, "prompts": 2, "supports": 1}, "auxiliary": {"patch_class": 0.1},
        "run": {"iterations": 1, "device": "cpu", "log_every": 1, "validate_every": 10, "checkpoint_every": 1}}))
    out = tmp_path / "out"
    command = ["train", "--config", str(tmp_path / "c.yaml"), "--data", str(tmp_path / "home"),
               "--validation", str(tmp_path / "home"), "-o", str(out)]
    assert main(command) == 0
    sizes = {name: (out / name).stat().st_size for name in ("model.safetensors", "state.pt")}
    assert 20_000 < sizes["model.safetensors"] < 200_000 < sizes["state.pt"], "one is met, or the other"
    state = (out / "state.pt").read_bytes()
    capsys.readouterr()
    longer = [*command, "--resume", "--set", "run.iterations=2"]
    with full_disk(room):
        assert main(longer) == 1
    met = "model.safetensors" if room < sizes["model.safetensors"] else "state.pt"
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert sentence.startswith(f"clipseg train: {out / met} cannot be written: ") and REASON in sentence
    assert (out / "state.pt").read_bytes() == state and not [name for name in names(out) if name.endswith(".part")]
    load_checkpoint(out / "model.safetensors")
    assert main(longer) == 0
    assert "step 2" in capsys.readouterr().err


def test_the_data_set_of_the_page(tmp_path):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    view = View("", lambda: picture, [Thing("mug", 0.5, (3, 5), (8, 8), np.eye(8, dtype=np.uint8))], {"mug": 0.9})
    collection = Collection(partial(FolderWriter, append=True), tmp_path)
    for _ in range(3):
        collection.add(view)
    index = tmp_path / "prompts.jsonl"
    line = index.stat().st_size // 3
    for room in (5_000, index.stat().st_size + line // 2):  # in the picture, and in the line that names it
        good = names(tmp_path)
        if room > 5_000:
            picture = np.zeros((48, 64, 3), np.uint8)  # a small file
        with full_disk(room), pytest.raises(OSError, match=REASON):
            collection.add(view)
        assert len(read_folder(tmp_path)) == 3
        assert not [name for name in names(tmp_path) - good if name.endswith(".part")]
    collection.add(view)
    samples = read_folder(tmp_path)
    assert len(samples) == 4 and (samples[-1].load_image() == picture).all()


@pytest.mark.parametrize("option", ["-o", "--csv", "--video"])
def test_a_bag_keeps_what_was_found_until_then(tmp_path, capsys, monkeypatch, option):
    pytest.importorskip("rosbags")
    from mcap_ros2.reader import read_ros2_messages
    from recordings import home, record

    monkeypatch.setattr("clipseg_ros.bags.writing.SETTLED_EVERY", 0.0)
    monkeypatch.setattr("clipseg_ros.bags.writing._SHARE", 1e9)
    path = tmp_path / {"-o": "found.mcap", "--csv": "found.csv", "--video": "found.mp4"}[option]
    recording = record(tmp_path / "home", home(6))
    with full_disk({"-o": 60_000, "--csv": 500, "--video": 10_000}[option]):
        assert main(["bag", str(recording), "-p", "chair; sofa; mug; bottle", option, str(path),
                     "--threshold", "0.05", "--device", "cpu"]) == 1
    told = capsys.readouterr()
    assert str(path) in told.err.splitlines()[-1] and "Traceback" not in told.err
    assert told.out.splitlines()[1].startswith("chair ")
    if option == "-o":
        found = [one.channel.topic for one in read_ros2_messages(str(path))]
        assert 1 <= found.count("/clipseg/mask") < 6
    elif option == "--csv":
        text = path.read_text()
        assert text.endswith("\n") and len(text) <= 500
        assert all(None not in row.values() for row in csv.DictReader(text.splitlines()))


def test_links_and_devices_stay_what_they_are(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for path in (tmp_path / "link", Path(os.devnull)):
        with replacing(path) as part:
            part.write_bytes(b"1")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"1"
    assert Path(os.devnull).is_char_device()


def test_what_killed_writers_left_is_swept_away_in_time(tmp_path):
    path = tmp_path / "memory.safetensors"
    mine, old, new = (tmp_path / f".{path.name}.{ending}" for ending in ("bak", "abc.part", "d.part"))
    mine.write_bytes(b"1")
    for folder in (old, new):
        folder.mkdir()
        (folder / "half").write_bytes(b"1")
    os.utime(old, (time.time() - 10_000,) * 2)
    with replacing(path) as part:
        part.write_bytes(b"2")
    assert {found.name for found in tmp_path.iterdir()} == {path.name, mine.name, new.name}
    assert path.read_bytes() == b"2"
