# SPDX-License-Identifier: Apache-2.0
"""What a person might ask for in a scene, with the objects that are the right answer. Needs NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipseg_ros.lab.scenes.scene import SceneObject
from clipseg_ros.lab.scenes.vocabulary import AFFORDANCES, CATEGORIES, COLOURS, CONFUSABLE

TYPES = ("noun", "colour", "affordance", "place", "absent")
DEFAULT_COUNTS = {"noun": 2, "colour": 2, "affordance": 1, "place": 1, "absent": 2}

_SYNONYM_SHARE = 0.25
_MIN_SHARE = 0.003  # of the picture, for an object to be nameable in a crop
_SIDE_GAP = 0.08  # of the width, between the leftmost and the next
_DEPTH_GAP = 0.12  # of the distance, between the nearest and the next
_ABSENT_KINDS = {"category": 0.35, "recoloured": 0.3, "borrowed colour": 0.2, "affordance": 0.15}
_WITHOUT_ARTICLE = ("shoes", "scissors", "bread")
_AFFORDANCE_TEXTS = frozenset(w for text, a in AFFORDANCES.items() for w in (text, *a.wordings))
_CLOSE_COLOURS = {
    frozenset(p)
    for p in (
        ("orange", "brown"),
        ("red", "brown"),
        ("red", "orange"),
        ("pink", "purple"),
        ("pink", "red"),
        ("grey", "white"),
        ("grey", "black"),
        ("black", "brown"),
        ("yellow", "orange"),
        ("blue", "purple"),
        ("yellow", "white"),
    )
}


@dataclass(frozen=True)
class Phrase:
    """A request, its type (one of TYPES) and the ids of the objects that are the answer; none when absent."""

    text: str
    type: str
    ids: tuple[int, ...] = ()

    def mask(self, ids: np.ndarray) -> np.ndarray:
        """(H, W) bool ground truth from an id image (H, W)."""
        return np.isin(ids, self.ids)


def sample_phrases(
    objects: Sequence[SceneObject],
    ids: np.ndarray,
    rng: np.random.Generator,
    *,
    counts: dict[str, int] | None = None,
    articles: bool = True,
) -> list[Phrase]:
    """Phrases of every type that the scene allows, at most counts[type] of each, in random order.

    objects are those of the whole scene; ids (H, W) may be a crop or a mirrored copy of its id image: what
    is left of an object decides whether it can be asked for. articles: "the red cup" and "a red cup"
    besides "red cup".
    """
    counts = DEFAULT_COUNTS if counts is None else counts
    view = _View(objects, ids)
    makers = {"noun": _nouns, "colour": _colours, "affordance": _affordances, "place": _places}
    phrases: list[Phrase] = []
    for kind, maker in makers.items():
        options = maker(view, rng) if counts.get(kind, 0) else []
        phrases += [options[i] for i in rng.permutation(len(options))[: counts.get(kind, 0)]]
    phrases += _absent(view, rng, counts.get("absent", 0))
    phrases = [phrases[i] for i in rng.permutation(len(phrases))]
    return [_with_article(p, rng) for p in phrases] if articles else phrases


class _View:
    """The objects that an id image shows, by category, and which categories must not be called absent."""

    def __init__(self, objects: Sequence[SceneObject], ids: np.ndarray):
        pixels = np.bincount(ids.ravel(), minlength=256)
        self.ids = ids
        self.shown = [o for o in objects if pixels[o.id] > 0]
        self.nameable = [o for o in self.shown if o.nameable and pixels[o.id] >= _MIN_SHARE * ids.size]
        self.sure = {o.id for o in self.nameable}
        self.there = {o.category for o in self.shown}
        self.taken = set(self.there)
        for a, b in CONFUSABLE:
            self.taken |= ({b} if a in self.there else set()) | ({a} if b in self.there else set())

    def all_of(self, category: str) -> list[SceneObject]:
        return [o for o in self.shown if o.category == category]

    def categories(self) -> list[str]:
        """Categories with an object that can be asked for."""
        return sorted({o.category for o in self.nameable})


def _name(category: str, rng: np.random.Generator) -> str:
    synonyms = CATEGORIES[category].synonyms
    return str(rng.choice(synonyms)) if synonyms and rng.random() < _SYNONYM_SHARE else category


def _nouns(view: _View, rng: np.random.Generator) -> list[Phrase]:
    return [Phrase(_name(c, rng), "noun", tuple(o.id for o in view.all_of(c))) for c in view.categories()]


def _colours(view: _View, rng: np.random.Generator) -> list[Phrase]:
    """Colour and noun, where every object of the category has a colour that can be named."""
    phrases = []
    for category in view.categories():
        group = view.all_of(category)
        if any(o.colour is None for o in group):
            continue
        for colour in sorted({o.colour for o in group if o.id in view.sure}):
            if not any(frozenset((colour, o.colour)) in _CLOSE_COLOURS for o in group):
                answer = tuple(o.id for o in group if o.colour == colour)
                phrases.append(Phrase(f"{colour} {_name(category, rng)}", "colour", answer))
    return phrases


def _affordances(view: _View, rng: np.random.Generator) -> list[Phrase]:
    phrases = []
    for text, affordance in AFFORDANCES.items():
        group = [o for o in view.shown if o.category in affordance.categories]
        doubtful = any(c in view.there for c in affordance.maybe)
        if any(o.id in view.sure for o in group) and not doubtful:
            phrases.append(Phrase(_wording(text, rng), "affordance", tuple(o.id for o in group)))
    return phrases


def _wording(text: str, rng: np.random.Generator) -> str:
    return str(rng.choice(AFFORDANCES[text].wordings)) if rng.random() < _SYNONYM_SHARE else text


def _places(view: _View, rng: np.random.Generator) -> list[Phrase]:
    """The leftmost, rightmost, nearest or farthest of several, where the difference is plain to see."""
    phrases = []
    for category in view.categories():
        group = view.all_of(category)
        if len(group) < 2 or any(o.id not in view.sure for o in group):
            continue
        columns = {o.id: float(np.nonzero(view.ids == o.id)[1].mean()) / view.ids.shape[1] for o in group}
        orders = [
            ("leftmost", columns, _SIDE_GAP),
            ("rightmost", {k: -v for k, v in columns.items()}, _SIDE_GAP),
        ]
        if all(o.centroid is not None for o in group):
            depth = {o.id: float(np.log(max(o.centroid[2], 1e-3))) for o in group}
            orders += [
                ("nearest", depth, _DEPTH_GAP),
                ("farthest", {k: -v for k, v in depth.items()}, _DEPTH_GAP),
            ]
        for word, values, gap in orders:
            first, second = sorted(values, key=values.get)[:2]
            if values[second] - values[first] >= gap:
                phrases.append(Phrase(f"{word} {_name(category, rng)}", "place", (first,)))
    return phrases


def _absent(view: _View, rng: np.random.Generator, count: int) -> list[Phrase]:
    """Requests without an answer, mostly near misses: another colour, or the colour of something else."""
    makers = {
        "category": _absent_category,
        "recoloured": _absent_colour,
        "borrowed colour": _borrowed_colour,
        "affordance": _absent_affordance,
    }
    phrases: dict[str, Phrase] = {}
    for _ in range(6 * count):
        if len(phrases) >= count:
            break
        kind = str(rng.choice(list(_ABSENT_KINDS), p=list(_ABSENT_KINDS.values())))
        text = makers[kind](view, rng)
        if text is not None:
            phrases[text] = Phrase(text, "absent")
    return list(phrases.values())


def _absent_name(view: _View, rng: np.random.Generator) -> str | None:
    """A category that is not there; half of the time one that stands where the present ones stand."""
    options = [c for c in CATEGORIES if c not in view.taken]
    if view.there and rng.random() < 0.5:
        table = any(not CATEGORIES[c].floor for c in view.there)
        similar = [c for c in options if (CATEGORIES[c].table if table else CATEGORIES[c].floor)]
        options = similar or options
    return _name(str(rng.choice(options)), rng) if options else None


def _absent_category(view: _View, rng: np.random.Generator) -> str | None:
    return _absent_name(view, rng)


def _absent_colour(view: _View, rng: np.random.Generator) -> str | None:
    """A category that is there, in a colour that none of its objects has."""
    groups = [(c, view.all_of(c)) for c in view.categories()]
    groups = [(c, g) for c, g in groups if all(o.colour is not None for o in g)]
    if not groups:
        return None
    category, group = groups[int(rng.integers(len(groups)))]
    mates = {a for pair in CONFUSABLE if category in pair for a in pair} - {category}
    near = group + [o for o in view.shown if o.category in mates]
    free = [
        c
        for c in COLOURS
        if all(o.colour not in (c, None) and frozenset((c, o.colour)) not in _CLOSE_COLOURS for o in near)
    ]
    others = [c for c in free if any(o.colour == c for o in view.shown)]
    pool = others if others and rng.random() < 0.6 else free
    return f"{rng.choice(pool)} {_name(category, rng)}" if pool else None


def _borrowed_colour(view: _View, rng: np.random.Generator) -> str | None:
    """A category that is not there, in the colour of something that is."""
    present = sorted({o.colour for o in view.nameable if o.colour is not None})
    name = _absent_name(view, rng)
    return f"{rng.choice(present)} {name}" if present and name else None


def _absent_affordance(view: _View, rng: np.random.Generator) -> str | None:
    options = [t for t, a in AFFORDANCES.items() if not view.there & {*a.categories, *a.maybe}]
    return _wording(str(rng.choice(options)), rng) if options else None


def _with_article(phrase: Phrase, rng: np.random.Generator) -> Phrase:
    """The phrase as people say it: plain, with "the" or with "a"; places always with "the"."""
    if phrase.type == "affordance" or phrase.text in _AFFORDANCE_TEXTS:
        return phrase
    text = phrase.text
    articles = ["", "the "]
    if text.split()[-1] not in _WITHOUT_ARTICLE or " of " in text:
        articles.append("an " if text[0] in "aeiou" else "a ")
    chosen = "the " if phrase.type == "place" else rng.choice(articles)
    return replace(phrase, text=f"{chosen}{text}")
