# SPDX-License-Identifier: Apache-2.0
"""`clipseg segment` from the command line's side: what it prints, writes and returns."""

import cv2
import numpy as np
import pytest

from clipseg_ros.cli import main
from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.model import SMALL, CLIPSeg


@pytest.fixture(scope="module")
def network():
    return Segmenter(CLIPSeg(SMALL), device="cpu", name="small", trained=False)


@pytest.fixture
def folder(tmp_path, monkeypatch, network):
    """A working folder with two pictures and a mask; weights are made once for all tests."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    cv2.imwrite("a.png", rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    cv2.imwrite("b.jpg", rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    mask = np.zeros((30, 40), np.uint8)
    mask[5:20, 10:30] = 255
    cv2.imwrite("mask.png", mask)
    (tmp_path / "text.png").write_text("not a picture")
    monkeypatch.setattr(Segmenter, "load", lambda *_, **__: network)
    return tmp_path


def segment(*arguments):
    return main(["segment", *map(str, arguments)])


def test_table(folder, capsys):
    assert segment("a.png", "b.jpg", "-p", "red mug", "-p", "cup", "--threshold", "0") == 0
    output = capsys.readouterr()
    header, *rows = output.out.splitlines()
    assert header.split() == ["PICTURE", "PROMPT", "SCORE", "AREA", "%", "CENTROID", "px"]
    assert [row.split()[0] for row in rows] == ["a.png", "a.png", "b.jpg", "b.jpg"]
    assert "red mug" in rows[0]
    assert rows[0].endswith("100.00  (31.5, 23.5)")
    assert rows[3].endswith("100.00  (19.5, 14.5)")
    assert "untrained" in output.err


def test_nothing_found(folder, capsys):
    assert segment("a.png", "-p", "cup", "--threshold", "1") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[-2:] == ["0.00", "-"]


def test_npz_holds_what_the_segmenter_returns(folder, network):
    command = ["a.png", "-p", "red mug", "--visual-prompt", "b.jpg", "--visual-mask", "mask.png"]
    assert segment(*command, "--npz", "new/out.npz") == 0
    image = cv2.imread("a.png")[:, :, ::-1]
    with np.load("new/out.npz") as stored:
        assert stored["prompts"].tolist() == ["red mug", "@b"]
        assert stored["logits"].shape == (2, *network.input_size)
        np.testing.assert_allclose(stored["probabilities"][0], network.segment(image, "red mug")[0], atol=1e-5)
        np.testing.assert_allclose(stored["logits"][0], network.logits(image, "red mug")[0], atol=1e-4)


def test_mask_of_the_visual_prompt_matters(folder):
    assert segment("a.png", "--visual-prompt", "b.jpg", "--npz", "whole.npz") == 0
    assert segment("a.png", "--visual-prompt", "b.jpg", "--visual-mask", "mask.png", "--npz", "part.npz") == 0
    assert (np.load("whole.npz")["logits"] != np.load("part.npz")["logits"]).any()


@pytest.mark.parametrize("name", ["o.png", "o.JPG", "new/o.jpeg"])
def test_overlay(folder, name):
    assert segment("a.png", "-p", "cup", "--threshold", "0", "-o", name) == 0
    drawn = cv2.imread(name)
    assert drawn.shape == (48, 64, 3)
    assert (drawn != cv2.imread("a.png")).any()


def test_several_pictures_into_a_folder(folder):
    assert segment("a.png", "b.jpg", "-p", "cup", "-o", "out", "--npz", "out") == 0
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.npz", "a.png", "b.npz", "b.png"]
    assert np.load("out/b.npz")["probabilities"].shape == (1, 30, 40)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["missing.png", "-p", "cup"], "missing.png"),
        (["text.png", "-p", "cup"], "text.png"),
        (["a.png", "-p", ""], "text of the prompt is empty"),
        (["a.png", "-p", "cup " * 80], "80 tokens"),
        (["a.png", "-p", "cup", "-o", "o.gif"], "must end in .png"),
        (["a.png", "-p", "cup", "--npz", "o.txt"], "must end in .npz"),
        (["a.png", "b.jpg", "-p", "cup", "-o", "o.png"], "one file for 2 pictures"),
        (["a.png", "a.png", "-p", "cup", "-o", "out"], "both be written to out/a.png"),
        (["a.png", "--visual-prompt", "b.jpg", "--visual-mask", "a.png"], "shape"),
    ],
)
def test_errors_are_one_line(folder, capsys, arguments, sentence):
    assert segment(*arguments) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if "untrained" not in line]
    assert len(errors) == 1
    assert errors[0].startswith("clipseg segment: ")
    assert sentence in errors[0]
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["a.png"], ["-p", "cup"], ["a.png", "-p", "cup", "--threshold", "1.5"],
     ["a.png", "-p", "cup", "--threshold", "many"], ["a.png", "-p", "cup", "--visual-mask", "mask.png"]],
)
def test_wrong_usage_exits_with_2(folder, capsys, arguments):
    with pytest.raises(SystemExit) as exit_:
        segment(*arguments)
    assert exit_.value.code == 2
    assert "usage: clipseg segment" in capsys.readouterr().err


def test_arguments_reach_the_segmenter(folder, monkeypatch, network):
    seen = []
    monkeypatch.setattr(Segmenter, "load", lambda *given, **named: seen.append((given, named)) or network)
    options = ["--weights", "w", "--device", "cpu", "--precision", "bfloat16", "--allow-download",
               "--backend", "openvino", "--input-size", "256"]
    assert segment("a.png", "-p", "cup", *options) == 0
    assert segment("a.png", "-p", "cup") == 0
    assert all(callable(named.pop("progress")) for _, named in seen)
    assert seen == [
        (("w",), {"device": "cpu", "precision": "bfloat16", "allow_download": True, "backend": "openvino",
                  "input_size": 256}),
        (("demo",), {"device": "auto", "precision": "auto", "allow_download": False, "backend": "torch",
                     "input_size": 0}),
    ]
