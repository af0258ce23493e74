# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from clipseg_ros.lab.scenes.stream import stream_scenes


@pytest.mark.parametrize(("count", "seed", "said"), [(-1, 0, "-1 scenes"), (1, -2, "the seed is -2")])
def test_bad_arguments_are_refused(count, seed, said):
    with pytest.raises(ValueError, match=said):
        list(stream_scenes(count, seed=seed))


def test_a_seed_gives_its_scenes_and_another_seed_others(rendering):
    def made(seed):
        return list(stream_scenes(2, seed=seed, width=64, height=48))

    first, again, other = made(0), made(0), made(1)
    assert len(first) == 2 and all(any(o.nameable for o in s.objects) for s in first)
    assert [s.rgb.tobytes() for s in first] == [s.rgb.tobytes() for s in again]
    assert not {s.seed for s in first} & {s.seed for s in other}


def test_bulk_rendering_goes_on_where_it_stopped(rendering, tmp_path):
    from clipseg_ros.lab.scenes.bulk import SIDE, render_to_disk

    render_to_disk(tmp_path, 2)
    kept = (tmp_path / "scenes.jsonl").read_text()
    render_to_disk(tmp_path, 3)
    records = [json.loads(line) for line in (tmp_path / "scenes.jsonl").read_text().splitlines()]
    assert (tmp_path / "scenes.jsonl").read_text().startswith(kept) and len(records) == 3
    for record in records:
        image = cv2.imread(str(tmp_path / record["image"]))
        ids = cv2.imread(str(tmp_path / record["ids"]), cv2.IMREAD_UNCHANGED)
        assert image.shape == (SIDE, SIDE, 3) and ids.shape == (SIDE, SIDE)
        assert set(np.unique(ids)) - {0} <= {o["id"] for o in record["objects"]}


def test_bulk_rendering_takes_an_interrupted_line_out_and_renders_nothing_twice(rendering, tmp_path, monkeypatch):
    from clipseg_ros.lab.scenes.bulk import render_to_disk
    from clipseg_ros.lab.scenes.home import Home

    render_to_disk(tmp_path, 3)
    index = tmp_path / "scenes.jsonl"
    complete = index.read_text()
    index.write_text(complete[:-20])
    render_to_disk(tmp_path, 3)
    assert index.read_text() == complete
    monkeypatch.setattr(Home, "scene", None)
    render_to_disk(tmp_path, 3)
    assert index.read_text() == complete


def test_bulk_seeds_of_live_scenes_and_evaluation_are_refused(tmp_path):
    from clipseg_ros.lab.scenes.bulk import check_seed

    check_seed(89)
    for seed in (-1, 90):
        with pytest.raises(ValueError, match=f"the seed is {seed}; it must be 0 to 89"):
            check_seed(seed)
