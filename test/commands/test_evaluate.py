# SPDX-License-Identifier: Apache-2.0
import argparse
import csv
import json

import numpy as np
import pytest

from clipseg_ros.commands import evaluate
from clipseg_ros.lab.datasets.folder import FolderWriter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(9)
    mask = np.zeros((48, 64), bool)
    mask[10:30, 20:50] = True
    with FolderWriter(directory) as writer:
        for _ in range(2):
            name = writer.add_image(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
            writer.add_prompt(name, "cup", "noun", mask=mask, category="cup")
            writer.add_prompt(name, "a banana", "absent")
            writer.add_scene(name, ids=mask.astype(np.uint8))
    return directory


def clipseg_evaluate(*argv):
    parser = argparse.ArgumentParser()
    evaluate.configure(parser)
    return evaluate.run(parser.parse_args([str(word) for word in argv]))


def test_a_folder_gives_a_table_and_the_files_that_were_asked_for(folder, tmp_path, capsys):
    out = {name: tmp_path / "new" / name for name in ("figures.json", "figures.csv", "page")}
    code = clipseg_evaluate(
        "--data", folder, "--weights", "untrained", "--device", "cpu", "--threshold", "0.4",
        "--json", out["figures.json"], "--csv", out["figures.csv"], "--report", out["page"],
    )  # fmt: skip
    printed = capsys.readouterr()
    assert code == 0
    assert "pictures: 2, threshold: 0.4" in printed.out and str(out["page"] / "index.html") in printed.out
    table = printed.out.split("\n\n")[1]
    rows = {line.split()[0]: line.split() for line in table.splitlines()}
    assert rows["noun"][1] == rows["absent"][1] == "2"
    assert "not trained" in printed.err
    figures = json.loads(out["figures.json"].read_text())
    assert figures["data"] == str(folder) and figures["figures"]["noun"]["threshold"] == 0.4
    assert len(figures["cases"]) == 4
    with open(out["figures.csv"], newline="") as file:
        assert [row["type"] for row in csv.DictReader(file)] == ["noun", "absent", "present"]
    assert "data:image/jpeg" in (out["page"] / "index.html").read_text()


def test_errors_are_told_by_kind_size_and_category(folder, capsys):
    clipseg_evaluate("--data", folder, "--weights", "untrained", "--device", "cpu", "--errors")
    printed = capsys.readouterr().out
    assert all(f"\n{heading} " in printed for heading in ("error", "size", "category"))
    assert "from 10 %" in printed


def test_the_limit_is_taken(folder, capsys):
    clipseg_evaluate("--data", folder, "--weights", "untrained", "--device", "cpu", "--limit", "1")
    assert "pictures: 1," in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "error", "says"),
    [
        (["--threshold", "1"], ValueError, "threshold is 1"),
        (["--limit", "0"], ValueError, "limit is 0"),
        (["--held-out"], ValueError, "leave them out with --data"),
        (["--weights", "/nowhere.safetensors"], (ValueError, OSError), "nowhere"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(folder, argv, error, says):
    with pytest.raises(error, match=says):
        clipseg_evaluate("--data", folder, "--weights", "untrained", "--device", "cpu", *argv)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        clipseg_evaluate("--data", tmp_path / "nowhere", "--weights", "untrained")
