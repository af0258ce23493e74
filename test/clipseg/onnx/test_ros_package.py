# SPDX-License-Identifier: Apache-2.0
"""The written ROS package: named as ROS allows, whole or not there, buildable, and its README's program is right."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import SIDE, network, picture, reactive

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.clipseg.onnx import cache, ros_package
from clipseg_ros.clipseg.onnx.cache import Exporter
from clipseg_ros.clipseg.onnx.ros_package import EXAMPLE, check_name, describe_tokens, write_package
from clipseg_ros.clipseg.tokenizer import END_ID, START_ID, Tokenizer
from clipseg_ros.clipseg.weights.checkpoints import Checkpoint, save_checkpoint

for name in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(name)
pytestmark = pytest.mark.usefixtures("one_thread")

FILES = ["CMakeLists.txt", "README.md", "models/decoder.onnx", "models/encoder.onnx", "models/export.json",
         "models/text_encoder.onnx", "models/tokens.json", "package.xml"]


def closed_network() -> CLIPSeg:
    """One whose vocabulary has the words of the example only."""
    known = sorted({*Tokenizer()([EXAMPLE])[0].tolist(), END_ID, START_ID} - {0})
    text = {**SMALL.clip["text_cfg"], "vocab_size": len(known) + 2, "context_length": 9}
    torch.manual_seed(0)
    config = replace(SMALL, clip={**SMALL.clip, "text_cfg": text}, image_size=SIDE, token_ids=tuple(known))
    return reactive(CLIPSeg(config).eval())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    model = closed_network()
    path = tmp_path_factory.mktemp("weights") / "mine & yours.safetensors"
    save_checkpoint(model, path)
    return Checkpoint(model, path.stem, path, threshold=0.4)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "cached_assets_path", lambda *parts: folder.joinpath(*parts))
        yield


def exporter(checkpoint):
    return Exporter(checkpoint.model, side=SIDE, backend="onnxruntime", precision="float32", progress=lambda text: None)


@pytest.fixture(scope="module")
def package(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace") / "kitchen_clipseg2"
    folder.mkdir()
    write_package(folder, checkpoint, exporter(checkpoint), backend="onnxruntime")
    return folder


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_nothing_else_is_written(package):
    assert everything_in(package) == FILES
    assert [path.name for path in package.parent.iterdir()] == [package.name]


def test_the_program_of_the_readme_computes_what_the_library_does(package, checkpoint, monkeypatch):
    Image = pytest.importorskip("PIL.Image")
    (program,) = re.findall(r"```python\n(.*?)```", (package / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    image = picture(SIDE, SIDE)
    Image.fromarray(image).save(package.parent / "picture.png")
    monkeypatch.chdir(package)
    found: dict = {}
    exec(compile(program.replace('"picture.png"', '"../picture.png"'), "README.md", "exec"), found)
    expected = Segmenter.load(checkpoint.source).segment(image, EXAMPLE)
    assert np.abs(found["probability"] - expected).max() < 1e-4 and expected.std() > 0.01
    assert (found["mask"] == (found["probability"] > checkpoint.threshold)).all()


def test_the_readme_describes_every_input_and_output(package, checkpoint):
    readme = (package / "README.md").read_text(encoding="utf-8")
    embed, rows = checkpoint.model.config.clip["embed_dim"], 1 + (SIDE // 16) ** 2
    lines = [
        f"| `models/text_encoder.onnx` | in | `tokens` | (prompts, {checkpoint.model.context_length}) | int64 |",
        f"| `models/text_encoder.onnx` | out | `embeddings` | (prompts, {embed}) | float32 |",
        f"| `models/encoder.onnx` | in | `pixels` | (1, {SIDE}, {SIDE}, 3) | uint8 |",
        f"| `models/encoder.onnx` | out | `reduced_0` | (1, {rows}, 32) | float32 |",
        f"| `models/decoder.onnx` | in | `reduced_2` | (1, {rows}, 32) | float32 |",
        f"| `models/decoder.onnx` | out | `logits` | (1, prompts, {SIDE}, {SIDE}) | float32 |",
    ]
    assert [line for line in lines if line not in readme] == []
    assert readme.count("| `models/") == 2 + 4 + 5 and "$" not in readme
    tokens = json.loads((package / "models" / "tokens.json").read_text())
    assert tokens == describe_tokens(checkpoint) and str(tokens["example"]["tokens"]) in readme


@pytest.mark.parametrize("build", [network, closed_network])
def test_tokens_can_be_made_of_clips_own_ids(build):
    model = build()
    said = describe_tokens(Checkpoint(model, "small", None))
    clips = Tokenizer()([EXAMPLE])[0].tolist()
    ids = clips[:clips.index(END_ID) + 1]
    if said["clip_ids"] is not None:
        ids = [said["clip_ids"].index(one) + 2 if one in said["clip_ids"] else said["unknown"] for one in ids]
    assert ids == said["example"]["tokens"] and (ids[0], ids[-1]) == (said["start"], said["end"])
    row = ids + [said["padding"]] * (said["context_length"] - len(ids))
    assert row == Tokenizer(model.context_length, model.config.token_ids)([EXAMPLE])[0].tolist()


@pytest.mark.ros
def test_colcon_builds_it_and_ament_finds_it(package, tmp_path):
    colcon = shutil.which("colcon", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if colcon is None:
        pytest.skip("colcon is not installed")
    built = subprocess.run([colcon, "--log-base", "log", "build", "--base-paths", str(package)], cwd=tmp_path,
                           text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert built.returncode == 0, built.stdout
    from ament_index_python import get_package_share_directory

    prefix = tmp_path / "install" / package.name
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMENT_PREFIX_PATH", str(prefix))
        share = Path(get_package_share_directory(package.name))
    assert everything_in(share / "models") == sorted(path.name for path in (package / "models").iterdir())


def test_ros_reads_the_manifest(package, checkpoint):
    packages = pytest.importorskip("catkin_pkg.package")
    parsed = packages.parse_package(package)  # validates
    assert (parsed.name, parsed.get_build_type()) == (package.name, "ament_cmake")
    text = ElementTree.parse(package / "package.xml").findtext("description")
    assert checkpoint.name in text, "whatever characters the name has"


@pytest.mark.parametrize("name", ["clip", "my_clipseg", "c3", "clipseg_352_int8"])
def test_good_names(name):
    check_name(name)


@pytest.mark.parametrize("name", ["c", "Clip", "3d_clip", "my-clip", "my__clip", "clip_", "_clip", "my clip", ""])
def test_bad_names(name):
    with pytest.raises(ValueError, match=rf"the folder's name '{name}' would be the package's, .* \(REP 144\)"):
        check_name(name)


def test_our_own_name_is_ours():
    with pytest.raises(ValueError, match="that is ours; take another one"):
        check_name("clipseg_ros")


def test_what_is_there_is_left_alone(checkpoint, tmp_path):
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for path in (folder, tmp_path / "file"):
        with pytest.raises(ValueError, match="has something in it, which is left as it is; name a new or empty folder"):
            write_package(path, checkpoint, exporter(checkpoint), backend="onnxruntime")
    assert everything_in(tmp_path) == ["file", "taken/notes.txt"]


def test_wrong_embeddings_are_refused_and_leave_nothing(package, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(ros_package.writing, "write_text_encoder", lambda model, folder: shutil.copy(
        package / "models" / "text_encoder.onnx", folder))
    real = ros_package.open_session
    monkeypatch.setattr(ros_package, "open_session", lambda *args, **kwargs: lambda inputs: [
        1.1 * real(*args, **kwargs)(inputs)[0]])
    with pytest.raises(ValueError, match="onnxruntime is refused, since its embeddings of texts are not PyTorch's"):
        write_package(tmp_path / "workspace" / "clip", checkpoint, exporter(checkpoint), backend="onnxruntime")
    assert not list((tmp_path / "workspace").iterdir())
