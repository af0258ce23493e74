# SPDX-License-Identifier: Apache-2.0
import csv
import json

import numpy as np
import pytest

from clipseg_ros.lab.evaluation.pictures import Picture, Question
from clipseg_ros.lab.evaluation.report import tables, to_text, write_csv, write_json
from clipseg_ros.lab.evaluation.run import Evaluation, evaluate

MASK = np.array([[1, 1, 0, 0]], bool)
FOUND = np.array([[0.9, 0.2, 0.0, 0.6]], np.float32)


class Fake:
    def segment(self, image, prompts):
        return np.stack([FOUND] * len(prompts))


@pytest.fixture(scope="module")
def evaluation():
    questions = (Question("cup", "noun", MASK, category="cup"), Question("dog", "absent", ~MASK & MASK))
    picture = Picture("a.png", np.zeros((1, 4, 3), np.uint8), questions, MASK.astype(np.uint8))
    return evaluate(Fake(), [picture], threshold=0.5, matting=True)


def test_the_table_has_a_row_per_type(evaluation):
    segmentation, matting = tables(evaluation)
    assert [row[0] for row in segmentation] == ["type", "noun", "absent", "present"]
    noun = dict(zip(segmentation[0], segmentation[1]))
    # TP 1 FP 1 FN 1 at 0.5; below 0.2 everything but the 0 is found: 2/3
    assert noun["mIoU"] == noun["IoU_FG"] == noun["class mIoU"] == "0.333"
    assert noun["best mIoU (at)"] == "0.667 (0.02)" and noun["right (chance)"] == "1.000 (1.00)"
    assert noun["empty"] == "-"
    absent = dict(zip(segmentation[0], segmentation[2]))
    assert absent["empty"] == "0.000" and absent["mIoU"] == "-"
    assert [row[0] for row in matting] == ["type", "noun", "present"]
    assert dict(zip(matting[0], matting[1]))["MAD"] == f"{(0.1 + 0.8 + 0.6) / 4:.4f}"


def test_text_is_aligned(evaluation):
    lines = to_text(tables(evaluation)).splitlines()
    assert lines[0].startswith("type") and "" in lines
    ends = {line.index(cell) + len(cell) for line, cell in zip(lines[:2], ("mIoU", "0.333"))}
    assert len(ends) == 1


def test_json_holds_every_figure_and_case(evaluation, tmp_path):
    write_json(evaluation, tmp_path / "new" / "out.json", weights="demo")
    content = json.loads((tmp_path / "new" / "out.json").read_text())
    assert content["weights"] == "demo" and content["threshold"] == 0.5 and content["pictures"] == 1
    assert content["figures"] == json.loads(json.dumps(evaluation.figures))
    assert len(content["thresholds_of_curves"]) == len(content["figures"]["noun"]["curves"]["miou"]) == 49
    assert content["cases"][0]["iou"] == pytest.approx(1 / 3) and content["cases"][1]["iou"] is None


def test_csv_has_a_row_per_type(evaluation, tmp_path):
    write_csv(evaluation, tmp_path / "out.csv", weights="demo")
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["type"] for row in rows] == ["noun", "absent", "present"]
    assert float(rows[0]["at.0.5.iou_fg"]) == pytest.approx(1 / 3) and rows[1]["at.0.5.iou_fg"] == ""
    assert rows[0]["weights"] == "demo" and float(rows[0]["matting.whole.sad"]) == pytest.approx(0.0015)
    assert not any(heading.startswith("curves") for heading in rows[0])


def test_nothing_evaluated_is_an_empty_table():
    assert tables(Evaluation(0.5)) == [] and to_text([]) == ""
