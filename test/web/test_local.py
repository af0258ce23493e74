# SPDX-License-Identifier: Apache-2.0
"""The network in this process as the page's source."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest
from networks import network, picture

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.clipseg.written import parse_prompts
from clipseg_ros.web.films import Still
from clipseg_ros.web.local import LocalSource

PATIENCE = 60.0


class Board:
    """Keeps what a source writes on it."""

    def __init__(self) -> None:
        self.views, self.told, self.prompts, self.names = [], [], [], []

    def cameras(self, names) -> None:
        self.names = names

    def show(self, view) -> None:
        self.views.append(view)

    def tell(self, troubles, figures) -> None:
        self.told.append((troubles, figures))

    def looking_for(self, texts, thresholds) -> None:
        self.prompts.append((texts, thresholds))


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(network(), device="cpu", threshold=0.25)


@pytest.fixture
def play(segmenter):
    """Start a source on a film of which `still` can be changed; ended with the test."""
    started = []

    def start(**options):
        film = SimpleNamespace(still=Still(picture()), fault=None, closed=False)

        def at(seconds: float) -> Still:
            if film.fault:
                raise OSError(film.fault)
            return film.still
        film.at, film.close = at, lambda: setattr(film, "closed", True)
        source, board = LocalSource(segmenter, film, title="a film", **options), Board()
        source.open(board)
        started.append((source, film))
        return source, board, film
    yield start
    for source, film in started:
        source.close()
        assert film.closed


def wait(condition, what: str):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def test_it_looks_only_while_somebody_does_and_once_at_a_picture_that_stays(play):
    source, board, film = play(prompts=parse_prompts("mug=0.1; chair"))
    assert board.prompts == [(["mug", "chair"], [0.1, 0.25])] and not board.views
    source.attend(True)
    wait(lambda: len(board.told) > 2, "reports")
    assert len(board.views) == 1 and set(board.views[0].scores) == {"mug", "chair"}
    assert (board.views[0].rgb == film.still.rgb).all()
    film.still = Still(picture(seed=1))
    wait(lambda: len(board.views) == 2, "the next picture")
    assert (board.views[1].rgb == film.still.rgb).all()


def test_a_new_threshold_acts_on_a_picture_that_stays(play):
    source, board, _ = play()
    source.attend(True)
    wait(lambda: board.views, "a view")
    assert not board.views[0].searched
    for number, line in enumerate(("mug", "mug=0.6", "mug=0.7; chair"), start=2):
        source.look_for(parse_prompts(line))
        wait(lambda: len(board.views) == number, "a view with the threshold")
    assert set(board.views[-1].scores) == {"mug", "chair"}
    assert board.prompts[1:] == [(["mug"], [0.25]), (["mug"], [0.6]), (["mug", "chair"], [0.7, 0.25])]


def test_an_example_is_a_prompt_and_its_picture_can_be_replaced(play):
    source, board, _ = play()
    source.attend(True)
    with pytest.raises(ValueError, match="there is no example @mine"):
        source.look_for(parse_prompts("@mine"))
    source.keep_example("mine", picture(seed=5), None)
    source.look_for(parse_prompts("@mine"))
    wait(lambda: board.views and "@mine" in board.views[-1].scores, "the example")
    before = len(board.views)
    source.keep_example("mine", picture(seed=6), np.eye(48, 80, dtype=bool))
    wait(lambda: len(board.views) > before, "the new example")
    assert board.views[-1].scores != board.views[before - 1].scores


def test_what_goes_wrong_is_said_and_passes(play):
    source, board, film = play()
    film.fault = "the camera was unplugged"
    source.attend(True)
    wait(lambda: board.told and board.told[-1][0] == ["the camera was unplugged"], "the sentence")
    film.fault = None
    wait(lambda: board.views and board.told[-1][0] == [], "the picture")
