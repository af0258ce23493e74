# SPDX-License-Identifier: Apache-2.0
"""Prompts for a rendered scene, drawn while training: the home's phrases in the shares that training wants."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, dataclass, fields
from typing import Sequence

import numpy as np

from clipseg_ros.lab.scenes.phrases import Phrase, sample_phrases
from clipseg_ros.lab.scenes.vocabulary import AFFORDANCES, CATEGORIES, COLOURS, CONFUSABLE, PLACES
from clipseg_ros.lab.training.scene_store import StoredObject

_NO_WORD = "\u00a4"


@dataclass(frozen=True)
class PromptMix:
    """How often each type of phrase is drawn, where the picture allows it; the numbers are relative.

    Attributes
    ----------
    unknown : phrases with a word outside the vocabulary, which name nothing
    """

    noun: float = 0.30
    colour: float = 0.20
    affordance: float = 0.15
    place: float = 0.05
    absent: float = 0.28
    unknown: float = 0.02


def draw_prompts(
    objects: Sequence[StoredObject], ids: np.ndarray, count: int, rng: np.random.Generator, mix: PromptMix
) -> list[Phrase]:
    """Return `count` phrases for a (cut) id image (h, w) uint8.

    Types that the picture does not allow give their places to nouns, then to absent phrases.
    """
    if not count:
        return []
    shares = np.array(astuple(mix))
    names = [entry.name for entry in fields(mix)]
    counts = Counter(names[number] for number in rng.choice(len(names), size=count, p=shares / shares.sum()))
    unknown = counts.pop("unknown", 0)
    phrases = sample_phrases(objects, ids, rng, counts=counts)
    phrases += [Phrase(_unknown_text(rng), "absent") for _ in range(unknown)]
    if len(phrases) < count:
        known = {phrase.text for phrase in phrases}
        spare = sample_phrases(objects, ids, rng, counts={"noun": count, "absent": count})
        spare = sorted((phrase for phrase in spare if phrase.text not in known), key=lambda phrase: not phrase.ids)
        share = (count - len(phrases) + 1) // 2
        nouns = [phrase for phrase in spare if phrase.ids][:share]
        phrases += nouns
        phrases += [phrase for phrase in spare if not phrase.ids][: count - len(phrases)]
    while len(phrases) < count:
        phrases.append(Phrase(_unknown_text(rng), "absent"))
    return phrases[:count]


def may_be_called(objects: Sequence[StoredObject]) -> set[str]:
    """Categories of `objects` and those that a person might call them by."""
    there = {item.category for item in objects}
    mates = {b for a, b in CONFUSABLE if a in there} | {a for a, b in CONFUSABLE if b in there}
    return there | mates


def home_texts() -> list[str]:
    """Texts that hold every word of every phrase of the simulated home, sorted."""
    names = [name for category, entry in CATEGORIES.items() for name in (category, *entry.synonyms)]
    texts = {wording for text, entry in AFFORDANCES.items() for wording in (text, *entry.wordings)}
    for name in names:
        texts.update((name, f"the {name}", f"a {name}", f"an {name}"))
        texts.update(f"the {word} {name}" for word in (*COLOURS, *PLACES))
    return sorted(texts)


def _unknown_text(rng: np.random.Generator) -> str:
    """A phrase whose noun is a sign that no closed vocabulary holds."""
    start = ("", "the ", "a ", f"the {COLOURS[int(rng.integers(len(COLOURS)))]} ", "something to ")
    return start[int(rng.integers(len(start)))] + " ".join([_NO_WORD] * int(rng.integers(1, 3)))
