# SPDX-License-Identifier: Apache-2.0
"""What the simulated home holds and how people call it: categories, colours and affordances. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """A kind of object: its other names, whether it stands on the floor and on tables, and its usual
    colours."""

    synonyms: tuple[str, ...] = ()
    floor: bool = False
    table: bool = False
    wall: bool = False  # stands with its back to a wall
    paint: bool = True  # may be recoloured; False keeps the colours of nature


@dataclass(frozen=True)
class Affordance:
    """What one can do with an object: other wordings, what surely fits, and what might fit (never a
    negative)."""

    wordings: tuple[str, ...]
    categories: tuple[str, ...]
    maybe: tuple[str, ...] = ()


CATEGORIES: dict[str, Category] = {
    "chair": Category(floor=True),
    "armchair": Category(synonyms=("easy chair",), floor=True),
    "sofa": Category(synonyms=("couch",), floor=True),
    "stool": Category(floor=True),
    "bench": Category(floor=True),
    "table": Category(floor=True),
    "desk": Category(synonyms=("writing desk",), floor=True),
    "bed": Category(floor=True),
    "cabinet": Category(synonyms=("cupboard", "closet"), floor=True, wall=True),
    "bookcase": Category(synonyms=("bookshelf", "shelf"), floor=True, wall=True),
    "door": Category(floor=True, wall=True),
    "plant": Category(synonyms=("potted plant", "houseplant"), floor=True, table=True, paint=False),
    "lamp": Category(synonyms=("light",), floor=True, table=True),
    "cup": Category(synonyms=("mug",), table=True),
    "glass": Category(synonyms=("drinking glass",), table=True, paint=False),
    "bottle": Category(table=True),
    "bowl": Category(table=True),
    "plate": Category(synonyms=("dish",), table=True),
    "box": Category(synonyms=("carton",), floor=True, table=True),
    "vase": Category(floor=True, table=True),
    "phone": Category(synonyms=("telephone",), table=True),
    "shoes": Category(synonyms=("pair of shoes",), floor=True, table=True),
    "hat": Category(table=True),
    "ball": Category(floor=True, table=True),
    "teddy bear": Category(synonyms=("teddy", "stuffed bear"), floor=True, table=True),
    "bread": Category(synonyms=("loaf of bread",), table=True, paint=False),
    "cake": Category(table=True),
    "laptop": Category(synonyms=("notebook computer",), table=True),
    "book": Category(table=True),
    "hammer": Category(table=True),
    "scissors": Category(synonyms=("pair of scissors",), table=True),
    "drill": Category(synonyms=("power drill",), table=True),
    "knife": Category(table=True),
}

# Pairs of which a person may call one by the other's name: neither is "absent" while the other is there.
CONFUSABLE: tuple[tuple[str, str], ...] = (
    ("table", "desk"),
    ("chair", "armchair"),
    ("stool", "bench"),
    ("stool", "chair"),
)

COLOURS: tuple[str, ...] = (
    "red",
    "green",
    "blue",
    "yellow",
    "orange",
    "purple",
    "pink",
    "brown",
    "black",
    "white",
    "grey",
)

AFFORDANCES: dict[str, Affordance] = {
    "something to sit on": Affordance(
        ("somewhere to sit", "a seat"), ("chair", "armchair", "sofa", "stool", "bench"), ("bed",)
    ),
    "something to drink from": Affordance(("something to drink with",), ("cup", "glass"), ("bottle", "bowl")),
    "something to cut with": Affordance(("something sharp",), ("scissors", "knife")),
    "somewhere to put my clothes": Affordance(
        ("somewhere to store clothes",), ("cabinet",), ("box", "bookcase", "bed", "chair")
    ),
    "something to sleep on": Affordance(("somewhere to sleep",), ("bed",), ("sofa",)),
    "something to wear": Affordance(("something to put on",), ("shoes", "hat")),
    "something to play with": Affordance(("a toy",), ("ball", "teddy bear")),
    "something to eat": Affordance(("food",), ("bread", "cake")),
    "something to eat from": Affordance(("something to put food on",), ("bowl", "plate")),
    "something that gives light": Affordance(("something to light the room",), ("lamp",)),
    "something to read": Affordance(("something to read in",), ("book",), ("bookcase", "laptop", "phone")),
    "something to hit a nail with": Affordance(("something to hammer with",), ("hammer",)),
    "something to make a hole with": Affordance(
        ("something to drill with",), ("drill",), ("knife", "scissors")
    ),
    "something to call someone with": Affordance(("something to phone with",), ("phone",), ("laptop",)),
    "something to put flowers in": Affordance(
        ("something for flowers",), ("vase",), ("bottle", "glass", "plant", "cup", "bowl")
    ),
    "somewhere to keep books": Affordance(
        ("somewhere to put books",), ("bookcase",), ("cabinet", "box", "desk", "table")
    ),
    "something to type on": Affordance(("something to write an email with",), ("laptop",), ("phone",)),
}

PLACES: tuple[str, ...] = ("leftmost", "rightmost", "nearest", "farthest")
