# SPDX-License-Identifier: Apache-2.0
"""What to look for: a text, an example picture, or a blend of both."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from clipseg_ros.clipseg.image_check import check_image

TEMPLATES = (
    "{}.",
    "a photo of a {}.",
    "a photograph of a {}.",
    "an image of a {}.",
    "a cropped photo of a {}.",
    "a good photo of a {}.",
    "a photo of one {}.",
    "a bad photo of a {}.",
    "a photo of the {}.",
)
"""The phrasings with which the published networks were trained (timojl/clipseg, `shuffle+`)."""

MEAN_COLOUR = (0.485, 0.456, 0.406)
"""ImageNet's mean, RGB in [0, 1]: what the published networks see as zero."""

LONGEST_TEXT = 1000
"""Characters that a text may have. CLIP reads 77 tokens; no text that fits comes near this."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """A text, an example picture, or both. Two prompts are equal when the network would see the same.

    Parameters
    ----------
    text :
        What to look for, in words: "the red mug", "something to sit on".
    image : (H, W, 3) uint8 RGB
        A picture of it. The prompt keeps a copy.
    mask : (H, W) bool or uint8
        Where it is in `image` (nonzero). Without a mask the whole picture is the example.
    text_weight :
        With both a text and a picture: 1 is the text alone, 0 the picture alone; the embeddings are mixed linearly.
    templates :
        Phrasings with one `{}` each for the text, such as `TEMPLATES`; their embeddings are averaged. Empty: the text
        as it is.

    unlike :
        What is not meant, although it looks like it: texts or Prompts. Where one of them has a higher probability, this
        prompt's is 0. Each costs a pass of the decoder, as a prompt does.

    Raises ValueError for an empty text, one longer than `LONGEST_TEXT`, control characters, a picture or mask of the
    wrong type or shape, an empty mask, a weight outside [0, 1], neither text nor picture, or an `unlike` that has one
    itself.
    """

    text: str | None = None
    image: np.ndarray | None = field(default=None, repr=False)
    mask: np.ndarray | None = field(default=None, repr=False)
    text_weight: float = 0.5
    templates: tuple[str, ...] = ()
    unlike: tuple[Prompt, ...] = ()

    def __post_init__(self) -> None:
        if self.text is None and self.image is None:
            raise ValueError("the prompt is empty; it needs a text, a picture or both")
        if self.text is not None:
            _check_text(self.text)
        if self.image is not None:
            check_image(self.image, "the visual prompt")
            object.__setattr__(self, "image", _frozen_copy(self.image))
        if self.mask is not None:
            _check_mask(self.mask, self.image)
            object.__setattr__(self, "mask", _frozen_copy(self.mask != 0))
        object.__setattr__(self, "text_weight", _checked_weight(self.text_weight))
        object.__setattr__(self, "templates", _checked_templates(self.templates))
        object.__setattr__(self, "unlike", _checked_negatives(self.unlike))

    @classmethod
    def of(cls, prompt: str | Prompt) -> Prompt:
        """Return `prompt` itself, or the text prompt that a string stands for."""
        if isinstance(prompt, Prompt):
            return prompt
        if isinstance(prompt, str):
            return cls(prompt)
        raise ValueError(f"the prompt is a {type(prompt).__name__}; a str or a Prompt is needed")

    @property
    def phrases(self) -> tuple[str, ...]:
        """The texts whose embeddings are averaged: empty for a picture alone."""
        if self.text is None:
            return ()
        return tuple(template.replace("{}", self.text) for template in self.templates) or (self.text,)

    @property
    def label(self) -> str:
        """A short name for people, such as "mug" or "mug !bowl"."""
        own = "visual prompt" if self.text is None else self.text
        return " !".join((own, *(prompt.label for prompt in self.unlike)))

    @cached_property
    def key(self) -> tuple:
        """Hashable identity of the embedding: equal for prompts that the network cannot tell apart."""
        if self.image is None:
            return (self.phrases,)
        picture = hashlib.sha256(np.ascontiguousarray(self.image))
        if self.mask is not None:
            picture.update(np.packbits(self.mask))
        weight = None if self.text is None else self.text_weight
        return (self.phrases, weight, self.image.shape, self.mask is not None, picture.digest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prompt) and (self.key, set(self.unlike)) == (other.key, set(other.unlike))

    def __hash__(self) -> int:
        return hash((self.key, frozenset(self.unlike)))


@dataclass(frozen=True)
class ActivePrompts:
    """What one frame is searched for: texts as written, the network's prompts, and a threshold each."""

    texts: tuple[str, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    thresholds: tuple[float, ...] = ()


def as_prompts(prompts: str | Prompt | Iterable[str | Prompt]) -> list[Prompt]:
    """Return one prompt or several, texts or Prompts, as a list of Prompts; raise ValueError for anything else."""
    if isinstance(prompts, (str, Prompt)):
        return [Prompt.of(prompts)]
    if not isinstance(prompts, Iterable):
        raise ValueError(f"prompts is a {type(prompts).__name__}; a str, a Prompt or a sequence of them is needed")
    return [Prompt.of(prompt) for prompt in prompts]


def engineer_visual_prompt(
    image: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    context: float = 0.1,
    blur: float = 3 / 352,
    intensity: float = 0.1,
    mean: Sequence[float] = MEAN_COLOUR,
) -> np.ndarray:
    """Turn a picture and a mask into the picture that CLIP aligns best with the object's name.

    The variant that won in the paper (Lueddecke & Ecker 2022, section 4 and table 2, last row): crop to the object,
    blur the background and take its intensity down to 10%. As in the authors' code, intensity counts from the mean
    colour, which is the network's zero, and the crop is padded with that colour to a square, so that the object keeps
    its shape.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB.
    mask : (H, W) bool or uint8, nonzero on the object. None returns the picture as it is.
    context : margin around the object on each side, as a share of its width or height.
    blur : standard deviation of the background's blur, as a share of the picture's width and height.
    intensity : share of the background that remains; the rest is the mean colour.
    mean : the mean colour, RGB in [0, 1].

    Returns
    -------
    (s, s, 3) uint8 RGB.
    """
    check_image(image, "the visual prompt")
    if mask is None:
        return image
    _check_mask(mask, image)
    height, width = mask.shape
    top, bottom, left, right = _crop_box(mask, context)
    crop, inside = image[top:bottom, left:right], mask[top:bottom, left:right] != 0
    grey = np.asarray(mean, np.float32) * 255
    blurred = cv2.GaussianBlur(crop, (0, 0), sigmaX=blur * width, sigmaY=blur * height) if blur > 0 else crop
    picture = np.where(inside[..., None], crop, np.rint(grey + intensity * (blurred - grey)).astype(np.uint8))
    return _pad_to_square(picture, np.rint(grey).astype(np.uint8))


def _crop_box(mask: np.ndarray, context: float) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of the object with its context, the ends exclusive, within the picture."""
    box = []
    for axis in (1, 0):
        where = np.flatnonzero(mask.any(axis=axis))
        start, stop = where[0], where[-1] + 1
        margin = round(context * (stop - start))
        box += [max(0, start - margin), min(mask.shape[1 - axis], stop + margin)]
    return tuple(box)


def _pad_to_square(picture: np.ndarray, colour: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    side = max(height, width)
    square = np.empty((side, side, 3), np.uint8)
    square[:] = colour
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise ValueError(f"the text of the prompt is a {type(text).__name__}; a str is needed")
    if len(text) > LONGEST_TEXT:
        start = text[:60] + "..."
        raise ValueError(f"the prompt {start!r} has {len(text)} characters; at most {LONGEST_TEXT} are taken")
    if not text.strip():
        raise ValueError("the text of the prompt is empty; it needs at least one word")
    bad = next((char for char in text if unicodedata.category(char) in ("Cc", "Cs")), None)
    if bad is not None:
        raise ValueError(f"the prompt {text[:60]!r} holds the control character {bad!r}; only printable text is taken")


def _check_mask(mask: np.ndarray, image: np.ndarray | None) -> None:
    if image is None:
        raise ValueError("the prompt has a mask but no picture; a mask needs the picture that it belongs to")
    if not isinstance(mask, np.ndarray) or mask.dtype not in (np.bool_, np.uint8):
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise ValueError(f"the mask of the visual prompt is {kind}; a NumPy array of type bool or uint8 is needed")
    if mask.shape != image.shape[:2]:
        raise ValueError(
            f"the mask of the visual prompt has the shape {mask.shape}; its picture's {image.shape[:2]} is needed"
        )
    if not mask.any():
        raise ValueError("the mask of the visual prompt is empty; the object's pixels must be nonzero")


def _checked_weight(weight: float) -> float:
    try:
        value = float(weight)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(f"text_weight is {weight!r}; a number from 0 (picture alone) to 1 (text alone) is needed")
    return value


def _checked_templates(templates: Sequence[str]) -> tuple[str, ...]:
    if isinstance(templates, str):
        templates = (templates,)
    for template in templates:
        if not isinstance(template, str) or template.count("{}") != 1:
            raise ValueError(f"the template {template!r} is not a text with one {{}}, such as 'a photo of a {{}}.'")
    return tuple(templates)


def _checked_negatives(unlike: str | Prompt | Iterable[str | Prompt]) -> tuple[Prompt, ...]:
    prompts = tuple(as_prompts(unlike))
    nested = next((prompt for prompt in prompts if prompt.unlike), None)
    if nested is not None:
        raise ValueError(f"what a prompt is unlike has negatives of its own, {nested.label[:60]!r}; it must have none")
    return prompts


def _frozen_copy(array: np.ndarray) -> np.ndarray:
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy
