# SPDX-License-Identifier: Apache-2.0
"""`clipseg export`, as a person types it."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from clipseg_ros.cli import main
from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.model import SMALL, CLIPSeg
from clipseg_ros.clipseg.weights.checkpoints import save_checkpoint
from clipseg_ros.lab.datasets.image_files import write_image

FILES = ["decoder.onnx", "encoder.onnx", "export.json"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file with a small network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_checkpoint(CLIPSeg(replace(SMALL, image_size=64)), path)
    return path


@pytest.fixture
def runtimes():
    for package in ("onnx", "onnxscript", "openvino", "onnxruntime"):
        pytest.importorskip(package)


def export(*arguments):
    return main(["export", *map(str, arguments)])


def test_a_folder_of_ones_own_and_the_cache(runtimes, weights, tmp_path, capsys):
    assert export("--weights", weights, "-o", tmp_path / "onnx", "--precision", "int8", "--input-size", "48") == 0
    output = capsys.readouterr()
    listed = [line.split(": ")[0] for line in output.out.splitlines()]
    assert listed == [str(tmp_path / "onnx" / name) for name in FILES]
    assert "int8 against PyTorch in float32: logits differ by at most" in output.err
    assert not list(tmp_path.glob(".*")), "nothing may be left beside it"

    assert export("--weights", weights, "--backend", "onnxruntime") == 0
    output = capsys.readouterr()
    assert all("/clipseg_ros/exports/" in line for line in output.out.splitlines())
    told = []
    segmenter = Segmenter.load(weights, backend="onnxruntime", progress=told.append)
    assert len(told) == 1 and told[0] in output.err, "the backend must find what the command made"
    assert segmenter.segment(np.zeros((8, 8, 3), np.uint8), "mug").shape == (1, 8, 8)


def test_a_calibration_with_ones_own_pictures(runtimes, weights, tmp_path, capsys):
    pytest.importorskip("openvino")
    write_image(tmp_path / "own" / "a.png", np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "own" / "notes.txt").write_text("no picture")
    assert export("--weights", weights, "--backend", "openvino", "--precision", "int8", "--calibrate",
                  tmp_path / "own") == 0
    output = capsys.readouterr()
    assert "calibrating int8; pictures: 1\n" in output.err and "-int8-openvino/encoder.onnx" in output.out
    assert "openvino" in output.err and "int8 against PyTorch in float32: logits differ by at most" in output.err


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["--weights", "nowhere"], "no file or directory 'nowhere'"),
    (["--input-size", "50"], "input_size is 50; it must be a multiple of 16"),
    (["--backend", "torch"], "the backend torch runs the network itself; it must be openvino or onnxruntime"),
    (["--backend", "tensorrt"], "backend is 'tensorrt'"),
    (["--calibrate", "."], "--calibrate is for --precision int8 --backend openvino; float32 with openvino needs no"),
    (["--calibrate", ".", "--precision", "int8"], ". has no picture to calibrate with; .png, .jpg, .jpeg files are"),
    (["--calibrate", "gone", "--precision", "int8"], "No such file or directory: 'gone'"),
    (["-o", "."], "exists"),
    (["-o", "new", "--ros-package", "new"], "-o and --ros-package both name a folder to write; give one of them"),
    (["--weights", "nowhere", "--ros-package", "My-Clip"], "'My-Clip' would be the package's"),
])
def test_an_error_is_one_line(runtimes, weights, tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert export("--weights", weights, *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("clipseg export: ") and error.count("\n") == 1 and sentence in error


def test_a_ros_package(runtimes, weights, tmp_path, capsys):
    assert export("--weights", weights, "--backend", "onnxruntime", "--ros-package", tmp_path / "kitchen_clip") == 0
    listed = {line.split(": ")[0] for line in capsys.readouterr().out.splitlines()}
    named = ("package.xml", "README.md", "models/text_encoder.onnx")
    assert {str(tmp_path / "kitchen_clip" / name) for name in named} <= listed
    assert export("--weights", weights, "--ros-package", tmp_path / "kitchen_clip") == 1
    assert "kitchen_clip has something in it, which is left as it is" in capsys.readouterr().err


def test_without_a_runtime(runtimes, weights, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as without:
        for package in ("openvino", "onnxruntime"):
            without.setitem(sys.modules, package, None)
        assert export("--weights", weights) == 1
        assert "pip install openvino onnx onnxscript" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "onnxruntime.quantization", None)
    assert export("--weights", weights, "--precision", "int8", "-o", tmp_path / "onnx") == 1
    error = capsys.readouterr().err
    assert "ONNX Runtime's quantiser is needed, which is not installed: pip install onnxruntime" in error


def test_takes_the_runtime_that_is_installed(runtimes, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert export("--weights", weights, "-o", tmp_path / "onnx") == 0
    assert "onnxruntime" in capsys.readouterr().err
