# SPDX-License-Identifier: Apache-2.0
"""`clipseg serve` as a person starts it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

pytest.importorskip("aiohttp", reason="needs aiohttp (extra `web`)")

from pages import connected  # noqa: E402
from pictures import PICTURE, file_of  # noqa: E402

from clipseg_ros.cli import main  # noqa: E402
from clipseg_ros.commands.serve import open_film  # noqa: E402


def test_a_picture_is_served_until_it_is_interrupted(tmp_path):
    (tmp_path / "kitchen.png").write_bytes(file_of(PICTURE, ".png"))
    process = subprocess.Popen([sys.executable, "-m", "clipseg_ros.cli", "serve", "kitchen.png", "-p", "mug=0.4; chair",
                                "--weights", "untrained", "--device", "cpu", "--port", "0", "--save", "kept"],
                               cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("open http://127.0.0.1:"), line + process.stderr.read()

        async def look():
            async with connected(SimpleNamespace(port=int(line.split(":")[2].partition("/")[0]))) as client:
                state, _ = await client.next("state")
                assert state["title"] == "kitchen.png"
                assert [(one["text"], one["threshold"]) for one in state["prompts"]][0] == ("mug", 0.4)
                view, _ = await client.next("view")
                assert view["size"] == [64, 48] and set(view["scores"]) == {"mug", "chair"}
                reply = await client.ask(do="collect", view=view["number"])
                assert reply["message"] == "frame 1 with 2 prompts is in kept"
        asyncio.run(look())
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0 and output == "" and errors == ""
    assert (cv2.imread(str(tmp_path / "kept" / "images" / "000000.png"))[..., ::-1] == PICTURE).all()


def test_a_folder_means_its_pictures_and_nothing_the_recorded_scenes(tmp_path):
    for name, shade in (("b.jpg", 90), ("a.png", 30), ("c.txt", 0)):
        (tmp_path / name).write_bytes(file_of(np.full((8, 8, 3), shade, np.uint8), name[-4:]) if shade else b"text")
    film = open_film(str(tmp_path), dwell=1.0)
    assert [round(film.at(seconds).rgb.mean() / 30) for seconds in (0.0, 1.0, 2.0)] == [1, 3, 1]
    assert open_film(None, dwell=1.0).at(0.0).depth.shape == (480, 640)


@pytest.mark.parametrize("arguments, words", [
    (["nothing.jpg"], "there is no file nothing.jpg"), (["empty"], "the folder empty holds no picture"),
    (["text.txt"], "text.txt cannot be opened"), (["-p", "mug=7"], "less than 1"),
    (["--weights", "no/such/file"], "no/such/file"), (["--address", "203.0.113.1", "--weights", "untrained"],
                                                      "cannot listen on 203.0.113.1")])
def test_what_cannot_be_is_said_in_a_sentence(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("no video")
    assert main(["serve", "--port", "0", "--device", "cpu", *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("clipseg serve: ") and words in said and said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--port", "x"], ["--dwell", "0"], ["--dwell", "x"]])
def test_numbers_are_checked(arguments):
    with pytest.raises(SystemExit, match="2"):
        main(["serve", *arguments])
