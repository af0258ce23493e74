# SPDX-License-Identifier: Apache-2.0
"""`clipseg segment` from the command line's side: what it prints, writes and returns."""

import os
import shutil

import cv2
import numpy as np
import pytest

from clipseg_ros.cli import main
from clipseg_ros.clipseg import Prompt, Segmenter
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
    table, objects = output.out.split("\n\n")
    header, *rows = table.splitlines()
    assert objects.split()[:7] == ["PICTURE", "OBJECT", "SCORE", "AREA", "%", "BOX", "px"]
    assert header.split() == ["PICTURE", "PROMPT", "SCORE", "AREA", "%", "CENTROID", "px"]
    assert [row.split()[0] for row in rows] == ["a.png", "a.png", "b.jpg", "b.jpg"]
    assert "red mug" in rows[0]
    assert rows[0].endswith("100.00  (31.5, 23.5)")
    assert rows[3].endswith("100.00  (19.5, 14.5)")
    assert "untrained" in output.err


def test_nothing_found(folder, capsys):
    assert segment("a.png", "-p", "cup", "--threshold", "1") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[-2:] == ["0.00", "-"]


def test_objects_and_a_cut_out(folder, capsys, monkeypatch, network):
    """One thing at the left, as the network would see it; nothing else is known of an untrained one."""
    probabilities = np.zeros((1, 48, 64), np.float32)
    probabilities[0, 10:40, :24] = 0.9
    monkeypatch.setattr(network, "segment", lambda *_, **__: probabilities)
    picture = np.full((48, 64, 3), 60, np.uint8)
    picture[10:40, :24] = 200
    cv2.imwrite("thing.png", picture)
    assert segment("thing.png", "-p", "cup", "--alpha", "out.png", "-o", "overlay.png", "--threshold", "0.5") == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == [
        "thing.png", "cup", "0.900", "23.44", "24x30", "at", "(0,", "10)"]
    cut = cv2.imread("out.png", cv2.IMREAD_UNCHANGED)
    assert cut.shape == (48, 64, 4)
    assert (cut[15:35, 5:18, 3] > 250).all() and (cut[:, 34:, 3] < 5).all()
    np.testing.assert_array_equal(cut[..., :3], picture)


def test_npz_holds_what_the_segmenter_returns(folder, network):
    command = ["a.png", "-p", "red mug", "--visual-prompt", "b.jpg", "--visual-mask", "mask.png"]
    assert segment(*command, "--npz", "new/out.npz") == 0
    image = cv2.imread("a.png")[:, :, ::-1]
    with np.load("new/out.npz") as stored:
        assert stored["prompts"].tolist() == ["red mug", "@b"]
        assert stored["logits"].shape == (2, *network.input_size)
        np.testing.assert_allclose(stored["probabilities"][0], network.segment(image, "red mug")[0], atol=1e-5)
        np.testing.assert_allclose(stored["logits"][0], network.logits(image, "red mug")[0], atol=1e-4)


def test_negatives(folder, network):
    assert segment("a.png", "-p", "red mug !cup=0.4; lamp", "--npz", "out.npz") == 0
    expected = network.segment(cv2.imread("a.png")[:, :, ::-1], [Prompt("red mug", unlike="cup"), "lamp"])
    with np.load("out.npz") as stored:
        assert stored["prompts"].tolist() == ["red mug !cup", "lamp"]
        np.testing.assert_allclose(stored["probabilities"], expected, atol=1e-5)


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
        (["a.png", "-p", ""], "a prompt has no words"),
        (["a.png", "-p", "@cup"], "@cup names a picture that a node has stored"),
        (["a.png", "-p", "mug !@cup"], "@cup names a picture that a node has stored"),
        (["a.png", "-p", "mug !"], "has a '!' without a word behind it"),
        (["a.png", "-p", "mug=2"], "the threshold of the prompt 'mug' is 2"),
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


def test_bad_pictures_cost_the_good_ones_nothing(folder, capsys):
    assert segment("missing.png", "a.png", "text.png", "b.jpg", "-p", "cup", "-o", "out", "--threshold", "1") == 1
    output = capsys.readouterr()
    assert [row.split()[0] for row in output.out.splitlines()] == ["PICTURE", "a.png", "b.jpg"]
    missing, text = output.err.splitlines()[-2:]
    assert missing == "clipseg segment: missing.png: No such file or directory"
    assert text.startswith("clipseg segment: text.png ")
    assert sorted(os.listdir("out")) == ["a.png", "b.png"]


def test_a_result_that_cannot_be_written_costs_only_its_own_row(folder, capsys):
    os.makedirs("out/b.npz")
    assert segment("a.png", "b.jpg", "-p", "cup", "--npz", "out", "--threshold", "1") == 1
    output = capsys.readouterr()
    assert [row.split()[0] for row in output.out.splitlines()] == ["PICTURE", "a.png"]
    assert output.err.splitlines()[-1] == ("clipseg segment: b.jpg: out/b.npz cannot be written: Is a directory; "
                                              "nothing there was changed")
    assert os.path.isfile("out/a.npz")


def test_without_any_good_picture_no_network_is_loaded(folder, capsys, monkeypatch):
    monkeypatch.setattr(Segmenter, "load", lambda *_, **__: pytest.fail("the network was loaded"))
    assert segment("missing.png", "text.png", "-p", "cup") == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 2


def test_what_was_done_is_shown_after_an_interruption(folder, capsys, monkeypatch, network):
    def interrupted(image, *arguments):
        if len(image) == 30:
            raise KeyboardInterrupt
        return np.zeros((1, *image.shape[:2]), np.float32)

    monkeypatch.setattr(network, "segment", interrupted)
    assert segment("a.png", "b.jpg", "-p", "cup") == 130
    assert [row.split()[0] for row in capsys.readouterr().out.splitlines()] == ["PICTURE", "a.png"]


def test_a_folder_means_its_pictures(folder, capsys):
    os.makedirs("photos/inner.png")
    for name in ("photos/z.JPG", "photos/b.png", "photos/.hidden.png", "photos/inner.png/c.png"):
        shutil.copy("a.png", name)
    (folder / "photos" / "notes.txt").touch()
    assert segment("b.jpg", "photos", "-p", "cup", "-o", "out", "--threshold", "1") == 1
    output = capsys.readouterr()
    assert "two of the pictures would both be written to out/b.png" in output.err
    assert segment("photos", "a.png", "-p", "cup", "-o", "out", "--threshold", "1") == 0
    assert [row.split()[0] for row in capsys.readouterr().out.splitlines()[1:]] == [
        "photos/b.png", "photos/z.JPG", "a.png"]
    assert sorted(os.listdir("out")) == ["a.png", "b.png", "z.png"]


@pytest.mark.parametrize(("target", "written"), [("out", "out/b.png"), ("out.png", "out.png")])
def test_a_folder_of_one_picture(folder, target, written):
    os.mkdir("photos")
    shutil.copy("b.jpg", "photos/b.jpg")
    assert segment("photos", "-p", "cup", "-o", target) == 0
    assert os.path.isfile(written)


def test_a_folder_without_pictures_is_named(folder, capsys):
    os.mkdir("empty")
    assert segment("empty", "a.png", "-p", "cup", "--threshold", "1") == 1
    output = capsys.readouterr()
    assert output.out.splitlines()[1].startswith("a.png")
    assert output.err.splitlines()[-1].startswith("clipseg segment: the folder empty holds no picture (.png, .jpg")


def test_names_that_are_not_utf_8(folder, capsys):
    os.mkdir("photos")
    for name in (b"photos/caf\xe9.png", b"photos/plain.png"):
        shutil.copy(b"a.png", name)
    (folder / "bad\udce9.png").write_text("not a picture")
    assert segment("photos", "bad\udce9.png", "--visual-prompt", "photos/caf\udce9.png", "-o", "out", "--npz", "out",
                   "--alpha", "cut", "--threshold", "0") == 1
    output = capsys.readouterr()
    row = output.out.splitlines()[1]
    assert row.startswith("photos/caf\\xe9.png  @caf\\xe9  ")
    assert output.err.splitlines()[-1].startswith("clipseg segment: bad\\xe9.png ")
    assert b"caf\xe9.png" in os.listdir(b"out")
    assert np.load("out/plain.npz")["prompts"].tolist() == ["@caf\\xe9"]


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["a.png", "-o", "a.png"], "-o a.png would replace the picture a.png; name another place"),
    (["a.png", "--alpha", "."], "--alpha . would replace the picture a.png"),
    (["photos", "-o", "photos"], "-o photos would replace the picture photos/p.png"),
    (["a.png", "-o", "out.png", "--alpha", "out.png"], "-o and --alpha would both be written to out.png"),
    (["a.png", "-p", "caf\udce9"], r"the prompt 'caf\xe9' is not UTF-8"),
])
def test_nothing_is_overwritten_or_guessed(folder, capsys, arguments, sentence):
    os.mkdir("photos")
    shutil.copy("a.png", "photos/p.png")
    before = (folder / "a.png").read_bytes()
    assert segment("-p", "cup", *arguments) == 1
    assert sentence in capsys.readouterr().err
    assert (folder / "a.png").read_bytes() == (folder / "photos" / "p.png").read_bytes() == before
