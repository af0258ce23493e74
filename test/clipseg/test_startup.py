# SPDX-License-Identifier: Apache-2.0
"""A network is ready when it is loaded; where a GPU's memory is short, the user has chosen what happens."""

import pytest
import torch

from clipseg_ros.clipseg import startup
from clipseg_ros.clipseg.cuda import OutOfMemoryError
from clipseg_ros.clipseg.startup import load_warm


class Loaded:
    """Stands for a segmenter; on a GPU warming up needs more memory than there is."""

    def __init__(self, weights, settings):
        self.weights, self.settings, self.warm = weights, settings, None
        self.device = torch.device(settings["device"])

    def warm_up(self, cameras):
        if self.settings["device"] != "cpu":
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.warm = cameras


@pytest.fixture
def loads(monkeypatch):
    made = []
    monkeypatch.delattr(torch, "OutOfMemoryError", raising=False)  # as in torch 2.4

    class Segmenter:
        @classmethod
        def load(cls, weights, **settings):
            made.append(Loaded(weights, settings))
            return made[-1]

    monkeypatch.setattr(startup, "Segmenter", Segmenter)
    return made


SETTINGS = {"device": "cuda", "precision": "float16", "input_size": 0}


def test_enough_memory(loads):
    segmenter = load_warm("demo", cameras=3, progress=print, **SETTINGS | {"device": "cpu"})
    assert (segmenter.weights, segmenter.warm) == ("demo", 3)
    assert segmenter.settings == {"device": "cpu", "precision": "float16", "input_size": 0, "progress": print}


def test_short_of_memory_is_one_sentence(loads):
    with pytest.raises(ValueError, match="memory does not suffice for the weights 'demo' and one frame") as info:
        load_warm("demo", progress=print, **SETTINGS)
    assert "set on_oom to cpu" in str(info.value)
    assert "Tried to allocate" not in str(info.value)
    assert len(loads) == 1


def test_the_cpu_stands_in(loads):
    told = []
    segmenter = load_warm("demo", on_oom="cpu", cameras=2, progress=told.append, **SETTINGS)
    assert (segmenter.settings["device"], segmenter.settings["precision"], segmenter.warm) == ("cpu", "auto", 2)
    assert len(told) == 1
    assert told[0].endswith("the CPU runs the network instead")


def test_refuses_another_word(loads):
    with pytest.raises(ValueError, match="on_oom is 'ignore'; it must be one of error, cpu"):
        load_warm("demo", on_oom="ignore", progress=print, **SETTINGS)
    assert not loads


def test_real_weights():
    segmenter = load_warm("demo", cameras=1, progress=print, device="cpu")
    assert segmenter.gpu_memory == 0
    segmenter.close()
