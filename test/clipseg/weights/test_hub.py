# SPDX-License-Identifier: Apache-2.0
"""Finding, downloading and verifying weights, against a hub of our own on this machine."""

import hashlib
import json
import os

import pytest
import torch
from hub_server import Hub
from huggingface_hub import constants
from safetensors.torch import load, save, save_file

from clipseg_ros.clipseg.weights import hub
from clipseg_ros.clipseg.weights.checkpoints import CheckpointError, load_checkpoint

COMMIT, OTHER = "a" * 40, "b" * 40
REPO = "CIDAS/clipseg-test"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, bytes]:
    """A small network in the published layout."""
    transformers = pytest.importorskip("transformers")
    tower = {"hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 32}
    config = transformers.CLIPSegConfig(
        vision_config={**tower, "image_size": 32, "patch_size": 16},
        text_config=tower,
        projection_dim=16,
        extract_layers=[0, 1],
        reduce_dim=16,
        decoder_intermediate_size=16,
    )
    folder = tmp_path_factory.mktemp("published")
    transformers.CLIPSegForImageSegmentation(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"size": {"height": 64, "width": 64}}')
    names = ("config.json", "preprocessor_config.json", "model.safetensors")
    return {name: (folder / name).read_bytes() for name in names}


@pytest.fixture
def server(files, monkeypatch):
    with Hub(dict(files)) as server:
        server.serve(monkeypatch)
        yield server


@pytest.fixture
def release(files, monkeypatch) -> hub.Release:
    """The fake repository, pinned under the name "published"."""
    known = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    release = hub.Release(("published",), REPO, COMMIT, "none", known, len(files["model.safetensors"]))
    monkeypatch.setattr(hub, "RELEASES", (release,))
    return release


def test_a_download_loads_and_then_needs_no_network(server, release, tmp_path):
    first = load_checkpoint("published", allow_download=True, cache_dir=tmp_path)
    assert (first.name, first.model.config.image_size) == ("published", 64)
    fetched = [request for request in server.requests if "/resolve/" in request]
    assert fetched and all(f"/{COMMIT}/" in request for request in fetched)
    server.requests.clear()
    again = load_checkpoint("published", cache_dir=tmp_path)
    assert server.requests == []
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name])


def test_nothing_is_asked_of_the_network_unless_allowed(server, release, tmp_path):
    with pytest.raises(
        CheckpointError, match="downloading is not allowed; `.*clipseg weights download published` fetches them"
    ):
        load_checkpoint("published", cache_dir=tmp_path)
    assert server.requests == []
    assert list(tmp_path.iterdir()) == []


def test_offline_mode_is_respected(server, release, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set"):
        load_checkpoint("published", allow_download=True, cache_dir=tmp_path)
    assert server.requests == []


def test_an_interrupted_download_is_finished_by_the_next(server, release, tmp_path):
    server.cut = 50_000
    with pytest.raises(
        CheckpointError, match="model.safetensors from CIDAS/clipseg-test failed, try it again"
    ):
        hub.download(release, cache_dir=tmp_path)
    assert hub.find_cached(release, cache_dir=tmp_path) is None
    server.cut, server.broken = None, False
    server.requests.clear()
    directory = hub.download(release, cache_dir=tmp_path)
    assert (directory / "model.safetensors").read_bytes() == server.files["model.safetensors"]
    assert not any("config.json" in request for request in server.requests)
    load_checkpoint("published", cache_dir=tmp_path)


def test_wrong_content_is_deleted(server, release, tmp_path):
    right = server.files["model.safetensors"]
    server.files["model.safetensors"] = right[:-1] + bytes([right[-1] ^ 1])
    with pytest.raises(
        CheckpointError, match=r"does not have the hash [0-9a-f]{64} \(known\) and was deleted"
    ):
        hub.download(release, cache_dir=tmp_path)
    assert hub.find_cached(release, cache_dir=tmp_path) is None
    server.files["model.safetensors"] = right
    assert hub.find_cached(release, cache_dir=tmp_path) is None
    assert hub.download(release, cache_dir=tmp_path).name == COMMIT


@pytest.mark.parametrize(("name", "file", "limits"), [
    ("published", "model.safetensors", {}),
    (f"{REPO}@{OTHER}", "model.safetensors", {"LARGEST_WEIGHTS": 100_000}),
    (f"{REPO}@{OTHER}", "config.json", {"LARGEST_TEXT": 100})])
def test_a_file_that_is_too_large_is_not_fetched(server, release, tmp_path, monkeypatch, name, file, limits):
    for limit, value in limits.items():
        monkeypatch.setattr(hub, limit, value)
    server.files[file] += bytes(100_000)
    with pytest.raises(CheckpointError, match=rf"{file} from {REPO} has [\d,]+ bytes and is not downloaded; it may"):
        load_checkpoint(name, allow_download=True, cache_dir=tmp_path)
    assert not any(request.startswith("GET") and request.endswith(file) for request in server.requests)


def test_a_file_that_went_bad_in_the_cache_is_fetched_again(server, release, tmp_path):
    weights = hub.download(release, cache_dir=tmp_path) / "model.safetensors"
    weights.resolve().write_bytes(b"\0" * 100)
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_checkpoint("published", cache_dir=tmp_path)
    server.requests.clear()
    hub.download(release, cache_dir=tmp_path)
    assert weights.read_bytes() == server.files["model.safetensors"]
    assert not any("config.json" in request for request in server.requests)


def test_any_repository_at_a_commit_is_checked_against_what_the_hub_announces(server, tmp_path):
    name = f"{REPO}@{OTHER}"
    blob = hashlib.sha1(
        b"blob %d\0" % len(server.files["config.json"]) + server.files["config.json"]
    ).hexdigest()
    server.etags = {"config.json": blob}
    checkpoint = load_checkpoint(name, allow_download=True, cache_dir=tmp_path)
    assert checkpoint.source.name == OTHER
    assert hub.expected_hash(hub.find_release(name), checkpoint.source / "config.json") == (
        blob,
        "announced by the hub",
    )
    server.etags = {"model.safetensors": "0" * 64}
    with pytest.raises(CheckpointError, match="announced by the hub"):
        hub.download(hub.find_release(f"{REPO}@{COMMIT}"), cache_dir=tmp_path)


def test_a_repository_with_a_pickle_alone_works(server, files, tmp_path):
    torch.save(load(server.files.pop("model.safetensors")), tmp_path / "model.bin")
    server.files["pytorch_model.bin"] = (tmp_path / "model.bin").read_bytes()
    del server.files["preprocessor_config.json"]
    checkpoint = load_checkpoint(f"{REPO}@{COMMIT}", allow_download=True, cache_dir=tmp_path / "cache")
    assert checkpoint.model.config.image_size == 352
    del server.files["pytorch_model.bin"]
    with pytest.raises(CheckpointError, match="neither model.safetensors nor pytorch_model.bin"):
        hub.download(hub.find_release(f"{REPO}@{OTHER}"), cache_dir=tmp_path / "cache")


def test_a_repository_with_its_weights_in_parts_works(server, files, tmp_path, monkeypatch):
    tensors = load(server.files.pop("model.safetensors"))
    names = sorted(tensors)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for part, held in parts.items():
        server.files[part] = save({name: tensors[name] for name in held})
    index = {"weight_map": {name: part for part, held in parts.items() for name in held}}
    server.files["model.safetensors.index.json"] = json.dumps(index).encode()
    release = hub.find_release(f"{REPO}@{COMMIT}")
    folder = load_checkpoint(release.names[0], allow_download=True, cache_dir=tmp_path).source
    assert hub.find_cached(release, cache_dir=tmp_path) == folder
    (folder / "model-2.safetensors").unlink()
    assert hub.find_cached(release, cache_dir=tmp_path) is None
    assert hub.obtain(release, allow_download=True, cache_dir=tmp_path) == folder
    assert load_checkpoint(release.names[0], cache_dir=tmp_path).model.config.image_size == 64
    monkeypatch.setattr(hub, "LARGEST_WEIGHTS", len(server.files["model-1.safetensors"]) + 1)
    with pytest.raises(CheckpointError, match="model-2.safetensors from .* it may have 1 at most"):
        hub.download(release, cache_dir=tmp_path / "another")


def test_an_unpinned_name_is_found_in_the_cache_but_not_downloaded(server, files, tmp_path, monkeypatch):
    release = hub.Release(("rd64",), REPO, None, "none")
    monkeypatch.setattr(hub, "RELEASES", (release,))
    with pytest.raises(CheckpointError, match="pins no revision of CIDAS/clipseg-test"):
        load_checkpoint("rd64", allow_download=True, cache_dir=tmp_path)
    assert server.requests == []
    hub.download(hub.find_release(f"{REPO}@{OTHER}"), cache_dir=tmp_path)
    assert load_checkpoint("rd64", cache_dir=tmp_path).source.name == OTHER


def test_the_pinned_revision_is_preferred_to_others(release, files, tmp_path):
    for commit in (OTHER, COMMIT):
        folder = tmp_path / f"models--{REPO.replace('/', '--')}" / "snapshots" / commit
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        assert hub.find_cached(release, cache_dir=tmp_path) == folder
    assert hub.find_cached(hub.find_release(f"{REPO}@{'c' * 40}"), cache_dir=tmp_path) is None


def test_without_the_pinned_revision_the_last_known_main_is_taken_and_then_the_newest(release, files, tmp_path):
    repository = tmp_path / f"models--{REPO.replace('/', '--')}"
    for age, commit in ((30, "c" * 40), (10, OTHER), (20, "d" * 40)):
        folder = repository / "snapshots" / commit
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
            os.utime(folder / name, (1e9 - age, 1e9 - age))
    assert hub.find_cached(release, cache_dir=tmp_path).name == OTHER
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("d" * 40)
    assert hub.find_cached(release, cache_dir=tmp_path).name == "d" * 40
    (repository / "snapshots" / ("d" * 40) / "config.json").unlink()
    assert hub.find_cached(release, cache_dir=tmp_path).name == OTHER


@pytest.mark.parametrize("cache", ["missing", "a_file"])
def test_a_cache_that_is_none_holds_nothing(release, tmp_path, cache):
    (tmp_path / "a_file").touch()
    assert hub.find_cached(release, cache_dir=tmp_path / cache) is None


def test_a_repository_that_the_hub_does_not_allow_is_not_found(tmp_path):
    with pytest.raises(CheckpointError, match="not in the cache .* and downloading is not allowed"):
        hub.obtain(hub.find_release(f"a/b--c@{COMMIT}"), allow_download=False, cache_dir=tmp_path)


@pytest.mark.parametrize(
    "name",
    ["CIDAS/clipseg-rd64-refined", "rd64-refined", f"CIDAS/clipseg-rd64-refined@{hub.RELEASES[0].revision}"],
)
def test_the_published_network_has_several_names(name):
    assert hub.find_release(name) is hub.RELEASES[0]


@pytest.mark.parametrize(
    "name", ["demo", "CIDAS/clipseg-rd64-refined@main", "../x@" + COMMIT, "models/clipseg", ""]
)
def test_other_names_are_no_releases(name):
    assert hub.find_release(name) is None


def test_the_backbone_is_taken_from_the_cache(tmp_path, monkeypatch):
    file = (
        tmp_path
        / f"models--{hub.BACKBONE.repo.replace('/', '--')}"
        / "snapshots"
        / hub.BACKBONE.revision
        / hub.BACKBONE_FILE
    )
    file.parent.mkdir(parents=True)
    save_file({"visual.conv1.weight": torch.zeros(64, 3, 16, 16)}, file)
    torch.save({"film_mul.weight": torch.zeros(4, 8)}, tmp_path / "rd64-uni.pth")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "rd64-uni.pth", cache_dir=tmp_path)
    assert str(file) in str(caught.value)


def test_hashes_of_both_kinds(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"hello\n")
    assert hub.hash_file(file) == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    assert hub.hash_file(file, like="0" * 40) == "ce013625030ba8dba906f756967f9e9ca394464a"
