# SPDX-License-Identifier: Apache-2.0
"""Which topics of a recording are a camera's: its picture, its calibration and the depth of the same pixels."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from clipseg_ros.bags.reading import Bag
from clipseg_ros.bags.stored import Topic
from clipseg_ros.bags.types import COMPRESSED, IMAGE, INFO, OBJECTS
from clipseg_ros.messages.compressed import is_depth

_DEPTHS = ("16UC1", "32FC1", "64FC1", "mono16")
"""Encodings of depth; some cameras' pictures have the first and the last, too."""
_GREYS = ("mono8", "8UC1", "mono16", "16UC1")
_REGISTERED = ("aligned", "registered", "to_color", "to_rgb")
_TRANSPORTS = ("/compressed", "/compressedDepth")


class Camera(NamedTuple):
    """image: its topic; info, depth: those of its calibration and of its depth, None where there is none;
    others: topics that would do for the image as well.
    """

    image: Topic
    info: Topic | None
    depth: Topic | None
    others: tuple[str, ...] = ()


class _Seen(NamedTuple):
    """A topic of pictures or depths, and its first message."""

    topic: Topic
    message: Any

    @property
    def is_depth(self) -> bool:
        if self.topic.kind == COMPRESSED:
            return is_depth(self.message)
        named = "depth" in self.topic.name.lower()
        encoding = self.message.encoding
        return encoding in ("32FC1", "64FC1") or encoding in _DEPTHS and named

    @property
    def is_colour(self) -> bool:
        return self.topic.kind == COMPRESSED or self.message.encoding not in _GREYS

    @property
    def frame(self) -> str:
        return self.message.header.frame_id.lstrip("/")


def find_camera(bag: Bag, *, image: str = "", depth: str = "", warn: Callable[[str], None]) -> Camera:
    """The topics to search: those named, or those that fit best.

    A picture with a calibration fits better than one without, one in colours better than a grey one, a raw one better
    than a compressed one, and of equal ones that with more messages. Depth must be in the picture's frame.

    Parameters
    ----------
    image, depth : names of topics; empty for those that fit best
    warn : told, in a sentence, why there will be no poses

    Raises
    ------
    ValueError
        If a named topic does not exist or is of another type, or nothing is a picture.
    """
    for name in filter(None, (image, depth)):
        _check_name(bag, name)
    results = {topic.name.rpartition("/")[0] for topic in bag.topics.values() if topic.kind == OBJECTS}
    seen = [_Seen(topic, message) for topic in bag.topics.values()
            if topic.kind in (IMAGE, COMPRESSED) and topic.name.rpartition("/")[0] not in results
            and (message := bag.first(topic.name)) is not None]
    pictures = [one for one in seen if not one.is_depth]
    pictures.sort(key=lambda one: (_info_beside(bag, one.topic.name) is None, not one.is_colour,
                                   one.topic.kind == COMPRESSED, -one.topic.count, one.topic.name))
    chosen = next((one for one in pictures if image in ("", one.topic.name)), None)
    if chosen is None:
        raise ValueError(_no_picture(bag, seen, image))
    others = () if image else tuple(one.topic.name for one in pictures if one is not chosen)
    info = _info_of(bag, chosen.topic.name)
    if depth:
        return Camera(chosen.topic, info, bag.topics[depth], others)
    depths = [one for one in seen if one.is_depth]
    registered = sorted((one for one in depths if one.frame == chosen.frame), key=lambda one: (
        not any(word in one.topic.name for word in _REGISTERED), one.topic.kind == COMPRESSED, -one.topic.count))
    if depths and not registered:
        frames = ", ".join(f"{one.topic.name} (in {one.frame})" for one in depths)
        warn(f"no depth is in the frame of {chosen.topic.name}, {chosen.frame}, so there are no poses: {frames}; with "
             "--depth TOPIC --assume-registered one is taken all the same")
    return Camera(chosen.topic, info, registered[0].topic if registered else None, others)


def _check_name(bag: Bag, name: str) -> None:
    """Raise ValueError for a topic that is not there or has no pictures."""
    if name not in bag.topics:
        images = [topic.name for topic in bag.topics.values() if topic.kind in (IMAGE, COMPRESSED)]
        near = get_close_matches(name, images, n=1, cutoff=0.4)
        hint = f"the nearest is {near[0]}" if near else f"there are {_listed(images) or 'no images'}"
        raise ValueError(f"the recording has no topic {name}; {hint}")
    kind = bag.topics[name].kind
    if kind not in (IMAGE, COMPRESSED):
        raise ValueError(f"the topic {name} is {kind}; it must be {IMAGE} or {COMPRESSED}")


def _no_picture(bag: Bag, seen: Sequence[_Seen], image: str) -> str:
    """Why no topic, or not this one, can be searched."""
    if image in (one.topic.name for one in seen):
        return f"the topic {image} is depth; --image must name a topic of pictures"
    if image:
        return f"the topic {image} has no message that can be read"
    depths = [one.topic.name for one in seen]
    what = f"nothing but depth ({_listed(depths)})" if depths else f"none among {_listed(bag.topics)}"
    return f"the recording has no pictures ({IMAGE}, {COMPRESSED}): {what}"


def _listed(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _info_beside(bag: Bag, image: str) -> Topic | None:
    """The calibration in the namespace of the image, as image_transport has it."""
    for ending in _TRANSPORTS:
        image = image.removesuffix(ending)
    beside = bag.topics.get(f"{image.rpartition('/')[0]}/camera_info")
    return beside if beside is not None and beside.kind == INFO else None


def _info_of(bag: Bag, image: str) -> Topic | None:
    """The calibration beside the image, or the recording's only one."""
    infos = [topic for topic in bag.topics.values() if topic.kind == INFO]
    return _info_beside(bag, image) or (infos[0] if len(infos) == 1 else None)
