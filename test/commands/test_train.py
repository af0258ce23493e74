# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import shapes
import yaml
from networks import TINY

from clipseg_ros.cli import main

CONFIG = {
    "vocabulary": "home",
    "network": TINY,
    "end_to_end": True,
    "data": {"kind": "scenes", "workers": 0, "validation_batches": 1},
    "scenes": {"side": 32, "batch_size": 2, "prompts": 2, "supports": 1},
    "auxiliary": {"patch_class": 0.1},
    "run": {"iterations": 2, "device": "cpu", "log_every": 1, "validate_every": 10, "checkpoint_every": 1},
}


@pytest.fixture
def setting(tmp_path):
    shapes.write_scenes(tmp_path / "home", 4, side=32)
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(CONFIG))
    return [
        *("train", "--config", str(tmp_path / "c.yaml"), "--data", str(tmp_path / "home")),
        *("--validation", str(tmp_path / "home"), "-o", str(tmp_path / "out")),
    ]


def test_trains_and_resumes(setting, tmp_path, capsys):
    assert main(setting) == 0
    assert "iou: " in capsys.readouterr().out
    assert main(setting) == 1
    assert "resume it or choose another folder" in capsys.readouterr().err
    assert main([*setting, "--resume", "--set", "run.iterations=3"]) == 0
    assert "step 3" in capsys.readouterr().err
    assert yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())["run"]["iterations"] == 3


def test_stages_go_on_by_themselves(setting, tmp_path, capsys):
    stages = [{"name": "a", "changes": {"network": TINY}}, {"name": "b", "mean": {"share": 0.5, "half": True}}]
    base = {key: value for key, value in CONFIG.items() if key != "network"}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"base": base, "stages": stages}))
    assert main(setting) == 0
    told = capsys.readouterr()
    assert "iou: " in told.out and "stage a\n" in told.err and "stage b\n" in told.err
    assert (tmp_path / "out" / "model.safetensors").is_file()
    assert main(setting) == 0
    assert capsys.readouterr().err == "stage a is finished\nstage b is finished\n"
    assert main([*setting, "--set", "seed=7"]) == 1
    assert "was finished with seed 0" in capsys.readouterr().err


def test_trains_a_fresh_decoder_on_a_folder_with_worker_processes(setting, tmp_path, capsys):
    from clipseg_ros.lab.datasets.folder import FolderWriter

    assert main(setting) == 0
    drawn = shapes.store(4, side=48)
    with FolderWriter(tmp_path / "mine") as folder:
        for image, ids, objects in zip(drawn.images, drawn.ids, drawn.objects):
            folder.add_prompt(folder.add_image(image), objects[0].category, "noun", mask=ids == objects[0].id)
    weights = str(tmp_path / "out" / "model.safetensors")
    (tmp_path / "f.yaml").write_text(
        yaml.safe_dump(
            {
                "decoder": {"refined": True},
                "data": {"kind": "folder", "workers": 1},
                "pairs": {"side": 32, "batch_size": 2, "templates": False},
                "run": {**CONFIG["run"], "precision": "bfloat16"},
            }
        )
    )
    command = ["train", "--config", str(tmp_path / "f.yaml"), "--data", str(tmp_path / "mine"), "--weights", weights]
    assert main([*command, "-o", str(tmp_path / "decoder")]) == 0
    assert (tmp_path / "decoder" / "model.safetensors").is_file()
    for picture in (tmp_path / "mine" / "images").iterdir():
        picture.write_bytes(b"no picture")
    capsys.readouterr()
    assert main([*command, "-o", str(tmp_path / "again")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("clipseg train: ") and ".png" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--set", "data.kind=photos"], "data.kind is 'photos'"),
        (["--set", "optimiser.speed=1"], "unknown key 'optimiser.speed'"),
        (["--set", "vocabulary=world"], "vocabulary is 'world'"),
        (["--set", "network=null"], "neither weights"),
        (["--data", "nowhere"], "nowhere"),
        (["--resume"], "resume"),
    ],
)
def test_errors_are_one_sentence(setting, arguments, message, capsys):
    assert main([*setting, *arguments]) == 1
    err = capsys.readouterr().err
    assert message in err and err.startswith("clipseg train: ") and err.count("\n") <= 2
