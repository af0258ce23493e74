# SPDX-License-Identifier: Apache-2.0
"""Images x prompts -> probabilities: the network with its device, its precision and its caches."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import RLock
from typing import Union

import cv2
import numpy as np
import torch
from torch import Tensor

from clipseg_ros.clipseg import onednn
from clipseg_ros.clipseg.device import pick_device, pick_precision
from clipseg_ros.clipseg.model import CLIPSeg, ImageFeatures
from clipseg_ros.clipseg.preprocessing import check_image, normalise, squash
from clipseg_ros.clipseg.prompts import Prompt, as_prompts, engineer_visual_prompt
from clipseg_ros.clipseg.tokenizer import Tokenizer

Prompts = Union[str, Prompt, Iterable[Union[str, Prompt]]]

PROMPTS_KEPT = 512
CAMERAS_KEPT = 8
PROMPTS_AT_ONCE = 8


class Segmenter:
    """Finds prompts in pictures.

    It embeds a prompt once (the last 512 are kept) and encodes a frame once (the last one of each of 8 cameras is
    kept), so a new prompt on a frame already seen costs one pass of the small decoder. Frames of several cameras are
    encoded as one batch. Calls from several threads take turns.

    Parameters
    ----------
    model :
        The network. It is moved to the device and set to evaluation. Most settings work on a copy of the weights, so
        make a new Segmenter after changing them.
    tokenizer :
        By default CLIP's, with the model's context length and vocabulary.
    device :
        "auto" (the first GPU, otherwise the CPU), "cpu", "cuda" or "cuda:1".
    precision :
        "auto" (float16 on a GPU, float32 on a CPU), "float32", "bfloat16" or "float16". On a CPU float16 rounds the
        weights and computes in float32, because PyTorch's float16 is many times slower there.
    name, trained :
        What was loaded, for people; an untrained network finds nothing.
    """

    def __init__(
        self,
        model: CLIPSeg,
        tokenizer: Tokenizer | None = None,
        *,
        device: str | torch.device = "auto",
        precision: str | torch.dtype = "auto",
        name: str = "custom",
        trained: bool = True,
    ) -> None:
        self._device = pick_device(device)
        self._precision = pick_precision(precision, self._device)
        self._model = _place(model, self._device, self._precision)
        self._dtype = self._model.clip.visual.conv1.weight.dtype
        self._tokenizer = tokenizer or Tokenizer(model.context_length, model.config.token_ids)
        self._name = name
        self._trained = trained
        self._embeddings: OrderedDict[tuple, Tensor] = OrderedDict()
        self._frames: OrderedDict[str, tuple[np.ndarray, ImageFeatures]] = OrderedDict()
        self._lock = RLock()

    @classmethod
    def load(
        cls,
        weights: str | Path = "demo",
        *,
        device: str | torch.device = "auto",
        precision: str | torch.dtype = "auto",
        allow_download: bool = False,
    ) -> Segmenter:
        """Return a segmenter with the weights that a path or a name stands for.

        Names are "demo" (bundled, a simulated home), "published" (CIDAS/clipseg-rd64-refined), "untrained" and what
        `clipseg weights list` shows; only with `allow_download` are they fetched from the network. Raises ValueError
        (CheckpointError among them) and OSError, each with one sentence.
        """
        from clipseg_ros.clipseg.checkpoints import load_checkpoint

        picked = pick_device(device)
        pick_precision(precision, picked)
        checkpoint = load_checkpoint(weights, allow_download=allow_download)
        return cls(
            checkpoint.model, device=picked, precision=precision, name=checkpoint.name, trained=checkpoint.trained
        )

    @property
    def name(self) -> str:
        """Name of the weights."""
        return self._name

    @property
    def trained(self) -> bool:
        """False for freshly initialised weights, whose masks mean nothing."""
        return self._trained

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return self._device

    @property
    def precision(self) -> str:
        """Number format of the network: float32, bfloat16 or float16. Results are float32 whatever it is."""
        return str(self._precision).removeprefix("torch.")

    @property
    def input_size(self) -> tuple[int, int]:
        """(h, w) in pixels to which pictures are squashed, the size of the logits."""
        return (self._model.config.image_size,) * 2

    def segment(
        self, image: np.ndarray | Sequence[np.ndarray], prompts: Prompts, *, camera: str | Sequence[str] = ""
    ) -> np.ndarray | list[np.ndarray]:
        """Probability of each prompt at each pixel.

        Parameters
        ----------
        image : (H, W, 3) uint8 RGB, or a list of such, of any sizes, for one batch.
        prompts : a text, a Prompt or several of them.
        camera : whose frame it is; each camera's last frame is kept encoded. For a list of images a list of names, one
            per image; the images that are not their camera's last frame are then encoded as one batch. A list without
            names is not kept.

        Returns
        -------
        (n_prompts, H, W) float32 in [0, 1]; for a list of images a list of such. Without prompts n_prompts is 0.

        Raises ValueError for an image of the wrong shape or type, for another number of names than of images and for
        what `check` refuses.
        """
        with self._lock, torch.inference_mode():
            images = _as_list(image)
            probabilities = torch.sigmoid(self._decode(image, as_prompts(prompts), camera)).cpu().numpy()
        resized = [_resize(maps, frame.shape[:2]) for maps, frame in zip(probabilities, images)]
        return resized if isinstance(image, (list, tuple)) else resized[0]

    def logits(
        self, image: np.ndarray | Sequence[np.ndarray], prompts: Prompts, *, camera: str | Sequence[str] = ""
    ) -> np.ndarray:
        """The network's own output, before the sigmoid and at `input_size`.

        Takes what `segment` takes. Returns (n_prompts, h, w) float32, for a list of images (B, n_prompts, h, w).
        """
        with self._lock, torch.inference_mode():
            logits = self._decode(image, as_prompts(prompts), camera).cpu().numpy()
        return logits if isinstance(image, (list, tuple)) else logits[0]

    def check(self, prompts: Prompts) -> None:
        """Raise ValueError, with a sentence for people, unless every prompt can be segmented."""
        for prompt in as_prompts(prompts):
            if prompt.phrases and prompt.key not in self._embeddings:
                self._tokenizer(prompt.phrases)

    def unknown_words(self, prompt: str | Prompt) -> tuple[str, ...]:
        """Words of the prompt's text that the network has never seen: none for the published weights."""
        text = Prompt.of(prompt).text
        return () if text is None else self._tokenizer.unknown_words(text)

    def warm_up(self) -> None:
        """Run one frame and one prompt, so that the first real frame is as fast as the others. Keeps nothing.

        Raises ValueError where the weights overflow in this precision.
        """
        height, width = self.input_size
        frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        with self._lock, torch.inference_mode():
            features = self._encode([frame])
            logits = self._model.decode(features, self._embed_texts([Prompt("warm up")]))
            finite = bool(torch.isfinite(logits).all())
        if not finite:
            raise ValueError(f"the weights {self._name!r} overflow in {self.precision}; float32 or bfloat16 may do")

    def _decode(
        self, image: np.ndarray | Sequence[np.ndarray], prompts: list[Prompt], camera: str | Sequence[str]
    ) -> Tensor:
        """Logits (B, n, h, w) float32 on the device."""
        images, cameras = _as_list(image), _cameras(image, camera)
        embeddings = self._embed(prompts)
        if not prompts or not images:
            return torch.empty((len(images), len(prompts), *self.input_size))
        features = self._encode(images) if cameras is None else self._features(images, cameras)
        # A few prompts at a time: their hidden layers stay in the processor's cache, and memory does not grow.
        maps = [self._model.decode(features, some) for some in embeddings.split(PROMPTS_AT_ONCE)]
        return (maps[0] if len(maps) == 1 else torch.cat(maps, dim=1)).float()

    def _features(self, images: list[np.ndarray], cameras: list[str]) -> ImageFeatures:
        """The encoded frames: those that equal their camera's last one pixel by pixel from the cache, the rest anew."""
        known = [self._frames.get(camera) for camera in cameras]
        new = [index for index, (last, image) in enumerate(zip(known, images))
               if last is None or not np.array_equal(last[0], image)]
        if new:
            frames = [np.array(images[index], order="C") for index in new]
            encoded = self._encode(frames)
            for index, frame, features in zip(new, frames, encoded.split()):
                known[index] = (frame, features)
        for camera, last in zip(cameras, known):
            _remember(self._frames, camera, last, CAMERAS_KEPT)
        return encoded if len(new) == len(images) else ImageFeatures.join([features for _, features in known])

    def _encode(self, images: Sequence[np.ndarray]) -> ImageFeatures:
        return self._model.encode_image(self._pixels(images, self.input_size))

    def _pixels(self, images: Sequence[np.ndarray], size: tuple[int, int]) -> Tensor:
        """(B, 3, *size) normalised, in the network's precision, on its device."""
        config = self._model.config
        pixels = torch.stack([squash(image, size) for image in images]).to(self._device)
        return normalise(pixels, config.image_mean, config.image_std).to(self._dtype)

    def _embed(self, prompts: list[Prompt]) -> Tensor:
        """Embeddings (n, D) of the prompts, each computed once."""
        new = list({prompt.key: prompt for prompt in prompts if prompt.key not in self._embeddings}.values())
        found = {prompt.key: self._embeddings[prompt.key] for prompt in prompts if prompt.key in self._embeddings}
        if new:
            found.update((prompt.key, row) for prompt, row in zip(new, self._embed_new(new)))
        for key, row in found.items():
            _remember(self._embeddings, key, row, PROMPTS_KEPT)
        if not prompts:
            return torch.empty((0, self._model.config.clip["embed_dim"]), device=self._device, dtype=self._dtype)
        return torch.stack([found[prompt.key] for prompt in prompts])

    def _embed_new(self, prompts: list[Prompt]) -> list[Tensor]:
        with_text = [prompt for prompt in prompts if prompt.text is not None]
        with_image = [prompt for prompt in prompts if prompt.image is not None]
        texts = dict(zip((p.key for p in with_text), self._embed_texts(with_text)))
        images = dict(zip((p.key for p in with_image), self._embed_images(with_image)))
        return [_blend(texts.get(p.key), images.get(p.key), p.text_weight) for p in prompts]

    def _embed_texts(self, prompts: list[Prompt]) -> Tensor | list:
        """(n, D), each row the mean over the prompt's phrases."""
        if not prompts:
            return []
        phrases = [prompt.phrases for prompt in prompts]
        tokens = self._tokenizer([phrase for group in phrases for phrase in group]).to(self._device)
        rows = self._model.encode_text(tokens).split([len(group) for group in phrases])
        return torch.stack([group.mean(dim=0) for group in rows])

    def _embed_images(self, prompts: list[Prompt]) -> Tensor | list:
        if not prompts:
            return []
        config = self._model.config
        pictures = [engineer_visual_prompt(prompt.image, prompt.mask, mean=config.image_mean) for prompt in prompts]
        size = (config.visual_prompt_size or config.image_size,) * 2
        return self._model.encode_visual_prompt(self._pixels(pictures, size))


def _place(model: CLIPSeg, device: torch.device, precision: torch.dtype) -> CLIPSeg:
    """The network for inference on `device`; float32 on a CPU also stands in for float16."""
    if precision != torch.float32:
        model = copy.deepcopy(model).to(device=device, dtype=precision)
    if device.type == "cuda" or precision == torch.bfloat16:
        return model.to(device).eval()
    model = model.to(device=device, dtype=torch.float32).eval()
    return onednn.pack(model) if onednn.is_available() else model


def _as_list(image: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    """The image or images, each checked."""
    if not isinstance(image, (list, tuple)):
        check_image(image)
        return [image]
    for index, one in enumerate(image):
        check_image(one, f"image {index} of the list")
    return list(image)


def _cameras(image: np.ndarray | Sequence[np.ndarray], camera: str | Sequence[str]) -> list[str] | None:
    """The camera of each image; None for a list of images that are not kept."""
    if not isinstance(image, (list, tuple)):
        if not isinstance(camera, str):
            raise ValueError(f"camera is {camera!r}; the camera of one image is one name, a str")
        return [camera]
    if camera == "":
        return None
    if not isinstance(camera, (list, tuple)) or len(camera) != len(image):
        raise ValueError(f"camera is {camera!r}; a list of {len(image)} images needs a list of as many names")
    return list(camera)


def _blend(text: Tensor | None, image: Tensor | None, text_weight: float) -> Tensor:
    """Embedding of a prompt with a text, an image or both (paper, section 3: image-text interpolation)."""
    if text is None or image is None:
        return image if text is None else text
    return text_weight * text + (1 - text_weight) * image


def _remember(cache: OrderedDict, key: object, value: object, kept: int) -> None:
    """Put an entry in as the newest, and let the oldest go beyond `kept`."""
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > kept:
        cache.popitem(last=False)


def _resize(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize (n, h, w) float32 to (n, H, W) bilinearly: OpenCV takes half of torch's time on a CPU."""
    height, width = size
    resized = np.empty((len(maps), height, width), np.float32)
    for source, target in zip(maps, resized):
        cv2.resize(source, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    return resized
