# SPDX-License-Identifier: Apache-2.0
"""A memory after tours through rooms of the simulated home, against the truth about them.

    python benchmarks/tours.py [--tours 10] [--seed 200] [--json FILE]

Each tour has 60 frames of another room, with depth. Afterwards the memory is asked for every kind of thing that was
seen, for what one can do with them, and for what is not there; then a thing on the table is moved, a second tour of 24
frames is made, and the memory of both is asked where the thing is. Answers of the network are the demo's, or the
true masks. A recalled thing is right where it is a meant one in the keyframe of its best view, at a mask IoU of 0.5;
"directly" means the frame that shows the thing best, which the truth chooses, without a memory. Positions are the mean
of the visible surface. Rooms 0 to 8 and 100 to 105 were used to choose the parameters: report others. Needs what
`clipseg scenes` needs.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from clipseg_ros.clipseg import Segmenter
from clipseg_ros.lab.evaluation.tours import (
    Figures,
    Question,
    Tour,
    TrueMasks,
    answers,
    is_first_directly,
    is_moved,
    judge,
    remembered,
)
from clipseg_ros.lab.scenes.home import Home
from clipseg_ros.lab.scenes.tour import Room, shaken

ABSENT = 2
"""Nouns and affordances of each room that are asked for in vain, at most."""
SECOND = 24
"""Frames of a tour after something was moved."""
ROOMS_PER_HOME = 5
_FIRST_STOCK = 2_000_000_000
CASES = ("true masks", "demo weights", "true masks, noisy poses", "demo weights, noisy poses")


def rooms(count: int, seed: int) -> Iterator[Room]:
    """Furnished rooms, of another stock of things every so often."""
    for start in range(seed, seed + count, ROOMS_PER_HOME):
        home = Home(_FIRST_STOCK + start)
        for number in range(start, min(start + ROOMS_PER_HOME, seed + count)):
            yield Room(home, number)
        home.close()


def ask(room: Room, segmenter: Segmenter, figures: dict[str, Figures], seed: int) -> Tour:
    """Tour a room and judge the answers of each case; returns the tour."""
    rng, scenes = np.random.default_rng([seed, 59]), list(room.tour())
    exact = Tour(scenes, [scene.camera_pose for scene in scenes])
    noisy = Tour(scenes, [shaken(scene.camera_pose, rng) for scene in scenes])
    questions = exact.questions(ABSENT, rng)
    first = [bool(one.categories) and is_first_directly(exact, one, segmenter) for one in questions]
    for case in CASES:
        tour = noisy if case.endswith("poses") else exact
        network = TrueMasks(scenes, questions) if case.startswith("true") else segmenter
        for question, recalled in zip(questions, answers(remembered(tour, network), questions)):
            judge(tour, question, recalled, figures[case])
        figures[case].first_direct += sum(first)
    return exact


def move(room: Room, tour: Tour, segmenter: Segmenter, moved: dict[str, list[tuple[bool, bool]]]) -> None:
    """Move a thing, tour the room again, and note for each network whether it is recalled where it is, and was."""
    try:
        before, after = room.rearrange()
    except ValueError:
        return
    scenes = [*tour.scenes, *room.tour(SECOND)]
    both = Tour(scenes, [scene.camera_pose for scene in scenes])
    places = {thing.pose[:2]: thing for scene in scenes[-SECOND:] for thing in scene.objects}
    thing = places.get(tuple(after.position[:2]))
    if thing is None:
        return
    question = Question(thing.category, "noun", (thing.category,))
    others = [place for place, one in places.items() if one.category == thing.category and one is not thing]
    for name, network in (("true masks", TrueMasks(scenes, [question])), ("demo weights", segmenter)):
        recalled = answers(remembered(both, network), [question])[0]
        moved[name].append(is_moved(recalled, before.position[:2], after.position[:2], others))


def table(figures: dict[str, Figures], moved: dict[str, list[tuple[bool, bool]]]) -> dict[str, dict[str, float]]:
    """Print a line a figure; returns them by case."""
    rows = {}
    for case, one in figures.items():
        rows[case] = {
            "F1 of the things": one.f1, "precision": one.right / max(one.right + one.wrong, 1),
            "recall": one.right / max(one.right + one.missed, 1), "right thing first": one.first / max(one.asked, 1),
            "right thing first, directly": one.first_direct / max(one.asked, 1),
            "absent ones not reported": one.silent / max(one.absent, 1),
            "position error, median, mm": 1e3 * float(np.median(one.errors or [np.nan]))}
        if case in moved:
            told = np.array(moved[case]).reshape(-1, 2)
            rows[case] |= {"moved thing where it is": float(told[:, 0].mean()),
                           "moved thing where it was": float(told[:, 1].mean())}
    asked = next(iter(figures.values()))
    print(f"{asked.asked} questions for what was seen, {asked.absent} for what was not, "
          f"{len(moved[CASES[0]])} things moved")
    print(f"{'':32}" + "".join(f"{case:>28}" for case in rows))
    for name in rows[CASES[0]]:
        print(f"{name:32}" + "".join(f"{row[name]:28.3f}" if name in row else f"{'-':>28}" for row in rows.values()))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tours", type=int, default=10, help="rooms")
    parser.add_argument("--seed", type=int, default=200, help="of the first room")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    segmenter = Segmenter.load("demo", device="cpu")
    figures, moved = {case: Figures() for case in CASES}, {name: [] for name in CASES[:2]}
    for number, room in enumerate(tqdm(rooms(options.tours, options.seed), total=options.tours, unit="tour")):
        tour = ask(room, segmenter, figures, options.seed + number)
        move(room, tour, segmenter, moved)
    rows = table(figures, moved)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
