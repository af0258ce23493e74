# SPDX-License-Identifier: Apache-2.0
"""`clipseg weights`, as a person types it."""

import hashlib

import pytest
from safetensors.torch import load_file

from clipseg_ros.cli import main
from clipseg_ros.clipseg.weights import hub
from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint

COMMIT = "a" * 40
CONTENT = {"config.json": b"{}", "model.safetensors": b"weights"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with a release "published", whose hashes are known, and one for which the hub tells them."""
    known = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    releases = (
        hub.Release(("published",), "owner/known", COMMIT, "free", known, 7),
        hub.Release(("rd64",), "owner/announced", None, "free"),
    )
    monkeypatch.setattr(hub, "RELEASES", releases)
    for release in releases:
        folder = tmp_path / f"models--{release.repo.replace('/', '--')}"
        (folder / "blobs").mkdir(parents=True)
        (folder / "snapshots" / COMMIT).mkdir(parents=True)
        for name, content in CONTENT.items():
            blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
            blob.write_bytes(content)
            (folder / "snapshots" / COMMIT / name).symlink_to(blob)
    return tmp_path


def test_list_shows_what_is_where(cache, capsys):
    assert main(["weights", "list", "--cache-dir", str(cache)]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert (
        COMMIT[:12] in lines["published"]
        and str(cache) in lines["published"]
        and "free" in lines["published"]
    )
    assert "none pinned" in lines["rd64"] and "by the hub" in lines["rd64"]
    assert " - " in lines["clip-vit-b-16"]
    assert {"demo", "untrained"} <= set(lines)


def test_verify_finds_the_file_that_changed(cache, capsys):
    assert main(["weights", "verify", "--cache-dir", str(cache)]) == 0
    assert capsys.readouterr().out.count(" as known") == 2
    for name, repo in (("published", "known"), ("rd64", "announced")):
        weights = cache / f"models--owner--{repo}" / "snapshots" / COMMIT / "model.safetensors"
        weights.resolve().write_bytes(b"weighty")
        assert main(["weights", "verify", name, "--cache-dir", str(cache)]) == 1
        assert f"{weights}: {hashlib.sha256(b'weighty').hexdigest()} WRONG" in capsys.readouterr().out


def test_verify_a_path(cache, tmp_path, capsys):
    file = tmp_path / "model.safetensors"
    file.write_bytes(CONTENT["model.safetensors"])
    assert main(["weights", "verify", str(file)]) == 0
    assert "is owner/known model.safetensors" in capsys.readouterr().out
    digest = hashlib.sha256(b"mine").hexdigest()
    file.write_bytes(b"mine")
    assert main(["weights", "verify", str(file)]) == 1
    assert f"{digest} equals no published file" in capsys.readouterr().out
    assert main(["weights", "verify", str(file), "--sha256", digest.upper()]) == 0
    assert main(["weights", "verify", str(file), "--sha256", "0" * 64]) == 1


def test_convert_writes_one_file_of_our_own(tmp_path, capsys):
    output = tmp_path / "small.safetensors"
    assert main(["weights", "convert", "untrained", str(output), "--half"]) == 0
    assert "small.safetensors: 7.2 MB" in capsys.readouterr().out
    checkpoint = load_checkpoint(output)
    assert not checkpoint.trained
    assert str(load_file(output)["decoder.film_mul.weight"].dtype) == "torch.float16"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["download", "nonsense"], "unknown weights 'nonsense'; known are published"),
        (["download", "rd64"], "pins no revision of owner/announced"),
        (["download"], "HF_HUB_OFFLINE"),
        (["verify", "published", "--sha256", "00"], "--sha256 needs the path"),
        (["verify", "published"], "nothing to verify"),
        (["convert", "untrained", "small.bin"], "must end in .safetensors"),
        (["convert", "nowhere", "small.safetensors"], "no file or directory 'nowhere'"),
    ],
)
def test_an_error_is_one_line(cache, tmp_path, capsys, arguments, message):
    empty = [] if arguments[0] == "convert" else ["--cache-dir", str(tmp_path / "empty")]
    assert main(["weights", *arguments, *empty]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and error.startswith("clipseg weights: ")


def test_download_tells_where(cache, monkeypatch, capsys):
    monkeypatch.setattr(hub, "download", lambda release, cache_dir: f"/cache/{release.repo}")
    assert main(["weights", "download", "published", "clip-vit-b-16"]) == 0
    assert (
        capsys.readouterr().out
        == f"published: /cache/owner/known\nclip-vit-b-16: /cache/{hub.BACKBONE.repo}\n"
    )


def test_average_writes_the_mean(tmp_path, capsys):
    for name in ("first", "second"):
        assert main(["weights", "convert", "untrained", str(tmp_path / f"{name}.safetensors")]) == 0
    target = tmp_path / "mean.safetensors"
    assert main(["weights", "average", str(tmp_path / "first.safetensors"), str(tmp_path / "second.safetensors"),
                 str(target), "--share", "0.25"]) == 0
    first, second, mean = (load_file(tmp_path / f"{name}.safetensors") for name in ("first", "second", "mean"))
    for name, tensor in mean.items():
        assert (tensor - (0.25 * first[name] + 0.75 * second[name])).abs().max() < 1e-5
    assert main(["weights", "average", "demo", "untrained", str(target)]) == 1
    assert "differ in their layers" in capsys.readouterr().err
