# SPDX-License-Identifier: Apache-2.0
"""`clipseg benchmark`, as a person types it."""

import json

import pytest

from clipseg_ros.cli import main
from clipseg_ros.lab.benchmarking import limit
from clipseg_ros.lab.benchmarking.results import header, to_rows


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(limit, "SHORTEST", 1e-4)


def benchmark(*arguments):
    return main(["benchmark", *map(str, arguments)])


def test_a_result_as_text_as_json_and_as_rows(tmp_path, capsys):
    path = tmp_path / "result.json"
    assert benchmark("--weights", "untrained", "--no-peers", "--size", "48x32", "--prompts", 1, 2, "--repeats", 1,
                     "--threads", 1, "--device", "cpu", "--json", path) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert any(line.startswith("limit ") and "GFLOP/s float32" in line for line in lines)
    assert [line.split()[:2] for line in lines if line.startswith(("1 ", "2 "))] == [["1", "prompt"], ["2", "prompts"]]
    assert any(line.startswith("new prompt, image seen") for line in lines)

    result = json.loads(path.read_text())
    assert result["settings"]["image"] == [48, 32] and result["machine"]["threads"] == 1
    assert result["left_out"] == [] and result["networks"][0]["precision"] == "float32"

    assert benchmark("--row", path) == 0
    assert capsys.readouterr().out.splitlines() == [*header(), *to_rows(result)]


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["--weights", "nowhere"], "no file or directory 'nowhere'"),
    (["--prompts", "0"], "prompts is (0,)"),
    (["--repeats", "0"], "repeats is 0; it must be at least 1"),
    (["--threads", "0"], "threads is 0; it must be at least 1"),
    (["--size", "0x5"], "size is (0, 5)"),
    (["--precision", "int8"], "precision is 'int8'"),
    (["--device", "tpu"], "device is 'tpu'"),
    (["--json", "."], "--json . is a folder; name a file"),
    (["--row", "nothing.json"], "nothing.json"),
])
def test_an_error_is_one_line(tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert benchmark("--no-peers", *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("clipseg benchmark: ") and error.count("\n") == 1 and sentence in error


@pytest.mark.parametrize("size", ["640", "640x", "ax480", "640x480x3"])
def test_a_size_has_two_numbers(capsys, size):
    with pytest.raises(SystemExit):
        benchmark("--size", size)
    assert "is no size; give WxH such as 640x480" in capsys.readouterr().err
