# SPDX-License-Identifier: Apache-2.0
"""Images x prompts -> probabilities: the network with its device, its precision and its caches."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import RLock
from typing import Union

import numpy as np
import torch
from torch import Tensor

from clipseg_ros.clipseg.backend import pick_side
from clipseg_ros.clipseg.cuda import release_memory
from clipseg_ros.clipseg.embeddings import Embeddings, remember
from clipseg_ros.clipseg.fingerprint import fingerprint
from clipseg_ros.clipseg.given import as_list, cameras_of
from clipseg_ros.clipseg.logits import LEVELS, first_level, to_levels, to_probabilities
from clipseg_ros.clipseg.model import CLIPSeg, ImageFeatures
from clipseg_ros.clipseg.negatives import contrasted, with_negatives
from clipseg_ros.clipseg.onnx.runtimes import require
from clipseg_ros.clipseg.opening import open_backend
from clipseg_ros.clipseg.prompts import Prompt, as_prompts
from clipseg_ros.clipseg.setting import settle
from clipseg_ros.clipseg.tokenizer import Tokenizer
from clipseg_ros.clipseg.unchanged import UnchangedScene
from clipseg_ros.perception.camera import Pinhole
from clipseg_ros.perception.found import FoundObject, locate_objects
from clipseg_ros.perception.maps import Maps
from clipseg_ros.perception.objects import Objects
from clipseg_ros.perception.patches import Patches
from clipseg_ros.perception.selection import Limits

Prompts = Union[str, Prompt, Iterable[Union[str, Prompt]]]

FRAMES_KEPT = 8

_log = logging.getLogger(__name__)


class Segmenter:
    """Finds prompts in pictures.

    It embeds a prompt once (the last 512 are kept) and encodes a frame once (each camera's last one is kept, of
    `frames_kept` cameras), so a new prompt on a frame already seen costs one pass of the small decoder. Frames of
    several cameras are encoded as one batch. Calls from several threads take turns.

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
        "auto" (float16 on a GPU with tensor cores, otherwise float32), "float32", "bfloat16" or "float16". On a CPU
        float16 rounds the weights and computes in float32, because PyTorch's float16 is many times slower there. Other
        backends refuse what the processor lacks; with them, "int8" makes the image encoder's matrix products int8.
    backend :
        What runs the network: "torch", or on the CPU "openvino" or "onnxruntime", extras of this package. These are
        given the network as ONNX, which is exported and compared with PyTorch on first use and kept in the user's
        cache. Prompts are embedded in PyTorch all the same.
    input_size :
        Side in pixels to which pictures are squashed, a multiple of the patch size; 0 for the weights' own. Smaller
        is faster and coarser. Example pictures keep the weights' size.
    gpu_graphs :
        "auto" records the network on a GPU, "off" does not, which is slower.
    unchanged :
        When the features of a camera's last encoded frame are used again for one that looks the same; by default only
        for one that equals it pixel by pixel.
    frames_kept :
        Of so many cameras, those seen last, the encoded frame is kept.
    name, trained :
        What was loaded, for people; an untrained network finds nothing.
    threshold :
        Probability from which on a pixel is meant, where nobody says another one.
    progress :
        Told, in sentences, what takes long and what was measured; None for Python's logging.

    Raises ValueError for settings that are unknown or do not go together, ImportError for a missing package.
    """

    def __init__(
        self,
        model: CLIPSeg,
        tokenizer: Tokenizer | None = None,
        *,
        device: str | torch.device = "auto",
        precision: str | torch.dtype = "auto",
        backend: str = "torch",
        input_size: int = 0,
        gpu_graphs: str = "auto",
        unchanged: UnchangedScene | None = None,
        frames_kept: int = FRAMES_KEPT,
        name: str = "custom",
        trained: bool = True,
        threshold: float = 0.5,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self._setting = settle(backend, device, precision, gpu_graphs)
        self._fingerprint = fingerprint(model)
        self._side = pick_side(model, input_size)
        self._model, self._backend = open_backend(model, self._setting, self._side, progress or _log.info)
        self._unchanged = unchanged
        self._frames_kept = frames_kept
        self._embeddings = Embeddings(self._model, tokenizer or Tokenizer(model.context_length, model.config.token_ids))
        self._name = name
        self._trained = trained
        self._threshold = threshold
        self._frames: OrderedDict[str, tuple[np.ndarray, ImageFeatures]] = OrderedDict()
        self._lock = RLock()

    @classmethod
    def load(
        cls,
        weights: str | Path = "demo",
        *,
        device: str | torch.device = "auto",
        precision: str | torch.dtype = "auto",
        backend: str = "torch",
        input_size: int = 0,
        gpu_graphs: str = "auto",
        unchanged: UnchangedScene | None = None,
        frames_kept: int = FRAMES_KEPT,
        allow_download: bool = False,
        progress: Callable[[str], None] | None = None,
    ) -> Segmenter:
        """Return a segmenter with the weights that a path or a name stands for.

        Names are "demo" (bundled, a simulated home), "published" (CIDAS/clipseg-rd64-refined), "untrained" and what
        `clipseg weights list` shows; only with `allow_download` are they fetched from the network. The rest is as for
        the class. Raises ValueError (CheckpointError among them), OSError and ImportError, each with one sentence.
        """
        from clipseg_ros.clipseg.weights.checkpoints import load_checkpoint

        setting = settle(backend, device, precision, gpu_graphs)
        if backend != "torch":
            require(backend, setting.precision)
        checkpoint = load_checkpoint(weights, allow_download=allow_download)
        return cls(checkpoint.model, input_size=input_size, unchanged=unchanged, frames_kept=frames_kept,
                   name=checkpoint.name, trained=checkpoint.trained, threshold=checkpoint.threshold, progress=progress,
                   **setting._asdict())

    @property
    def name(self) -> str:
        """Name of the weights."""
        return self._name

    @property
    def fingerprint(self) -> str:
        """Tells networks apart: `features` are of use to one with the same fingerprint and input size."""
        return self._fingerprint

    @property
    def trained(self) -> bool:
        """False for freshly initialised weights, whose masks mean nothing."""
        return self._trained

    @property
    def threshold(self) -> float:
        """Probability from which on a pixel is meant, unless somebody says another one: that of the weights."""
        return self._threshold

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return self._setting.device

    @property
    def backend(self) -> str:
        """What runs the network: torch, openvino or onnxruntime."""
        return self._setting.backend

    @property
    def precision(self) -> str:
        """Number format of the network: float32, bfloat16, float16 or int8. Results are float32 whatever it is."""
        return self._setting.precision

    @property
    def gpu_memory(self) -> int:
        """Bytes of the GPU's memory that PyTorch holds in this process; 0 on a CPU."""
        return torch.cuda.memory_reserved(self.device) if self.device.type == "cuda" else 0

    @property
    def input_size(self) -> tuple[int, int]:
        """(h, w) in pixels to which pictures are squashed, the size of the logits."""
        return (self._side, self._side)

    @property
    def features_shape(self) -> tuple[int, int, int]:
        """(reduced_count, 1 + rows * cols, reduce_dim): the shape of `features`."""
        config, (rows, columns) = self._model.config, self._model.grid(self.input_size)
        return config.reduced_count, 1 + rows * columns, config.reduce_dim

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
        images = as_list(image)
        with self._lock, torch.inference_mode():
            logits = self._decode(image, as_prompts(prompts), camera)
            maps = to_probabilities(logits, [one.shape[:2] for one in images])
        return maps if isinstance(image, (list, tuple)) else maps[0]

    def maps(
        self, images: Sequence[np.ndarray], prompts: Prompts, thresholds: Sequence[float], *,
        camera: str | Sequence[str] = "", exact: bool = True
    ) -> list[Maps]:
        """What `segment` finds, each image's probabilities with the thresholds from which on a pixel is meant.

        Takes a list of images and what `segment` takes besides, and a threshold in (0, 1) for each prompt. Unless it
        has to be `exact`, a GPU answers in steps of 1 / 255, which are a quarter of the bytes to fetch and to work on;
        each pixel is on the right side of its threshold all the same.
        """
        prompts, sizes = as_prompts(prompts), [one.shape[:2] for one in images]
        if len(thresholds) != len(prompts):
            raise ValueError(f"there are {len(prompts)} prompts but {len(thresholds)} thresholds; "
                             "each prompt needs one")
        with self._lock, torch.inference_mode():
            logits = self._decode(list(images), prompts, camera)
            if exact or self.device.type != "cuda":
                return [Maps(values, tuple(thresholds)) for values in to_probabilities(logits, sizes)]
            return [Maps(values, tuple(map(first_level, thresholds)), LEVELS)
                    for values in to_levels(logits, sizes, thresholds)]

    def features(self, image: np.ndarray, *, camera: str = "") -> np.ndarray:
        """All that the decoder needs of a picture, whatever the prompts: for `maps_of`, now or later.

        Takes an image (H, W, 3) uint8 RGB and whose frame it is: a camera's last encoded frame is not encoded again.
        Returns (reduced_count, 1 + rows * cols, reduce_dim) float16, 186 kB for the published network.
        """
        with self._lock, torch.inference_mode():
            packed, half = self._backend.packed(self._features(as_list(image), [camera])), torch.finfo(torch.float16)
            return packed[0].clamp(-half.max, half.max).half().cpu().numpy()

    def maps_of(self, features: Sequence[np.ndarray], prompts: Prompts, thresholds: Sequence[float], *,
                sizes: Sequence[tuple[int, int]]) -> list[Maps]:
        """What `maps` finds in pictures of which `features` were kept, as float32 maps of the `sizes` (H, W).

        Raises ValueError also for features of another shape than this network's.
        """
        prompts, shape = as_prompts(prompts), self.features_shape
        wrong = next((one.shape for one in features if one.shape != shape), None)
        if wrong is not None:
            raise ValueError(f"kept features have the shape {wrong}; this network's at this input size have {shape}")
        self._embeddings.check(prompts)
        if not len(features):
            return []
        with self._lock, torch.inference_mode():
            kept = self._backend.unpacked(torch.from_numpy(np.stack(features)), self._model.grid(self.input_size))
            logits = self._paint(kept, prompts)
            return [Maps(values, tuple(thresholds)) for values in to_probabilities(logits, sizes)]

    def find(
        self, image: np.ndarray, prompts: Prompts, *, threshold: float | None = None, depth: np.ndarray | None = None,
        camera: Pinhole | None = None, limits: Limits = Limits(), point: str = "centroid", up: np.ndarray | None = None
    ) -> list[FoundObject]:
        """The things that prompts mean, each once: its mask, box and score, and where it is.

        Parameters
        ----------
        image : (H, W, 3) uint8 RGB
        threshold : probability in (0, 1) from which on a pixel is meant; None for the weights' own
        depth : (H, W) float32 metres, NaN where unknown, registered to the image. With it things are told apart that
            touch in the image, and with `camera` they have poses
        camera : that took the image, `Pinhole.from_camera_info(...)`
        limits : what is too small or too much
        point, up : as `perception.location.locate`

        Returns
        -------
        those of the first prompt first, the best first within a prompt

        Raises ValueError as `segment`, and where depth, camera and image do not have one size.
        """
        prompts = as_prompts(prompts)
        maps, = self.maps([image], prompts, [self.threshold if threshold is None else threshold] * len(prompts))
        regions = Objects(maps, Patches(image, depth, camera), limits).regions
        return list(locate_objects(regions, [prompt.label for prompt in prompts], camera, depth, point=point, up=up))

    def logits(
        self, image: np.ndarray | Sequence[np.ndarray], prompts: Prompts, *, camera: str | Sequence[str] = ""
    ) -> np.ndarray:
        """The network's own output, before the sigmoid and at `input_size`; minus infinity where a negative is higher.

        Takes what `segment` takes. Returns (n_prompts, h, w) float32, for a list of images (B, n_prompts, h, w).
        """
        with self._lock, torch.inference_mode():
            logits = self._decode(image, as_prompts(prompts), camera).cpu().numpy()
        return logits if isinstance(image, (list, tuple)) else logits[0]

    def check(self, prompts: Prompts) -> None:
        """Raise ValueError, with a sentence for people, unless every prompt can be segmented."""
        self._embeddings.check(as_prompts(prompts))

    def unknown_words(self, prompt: str | Prompt) -> tuple[str, ...]:
        """Words of the prompt and its negatives that the network has never seen: none for the published weights."""
        return self._embeddings.unknown_words(Prompt.of(prompt))

    def unknown_words_note(self, prompts: Prompts) -> str:
        """A sentence that names the words of the prompts that the network has never seen; empty if it knows all."""
        words = dict.fromkeys(word for prompt in as_prompts(prompts) for word in self.unknown_words(prompt))
        if not words:
            return ""
        return (f"the weights {self.name!r} do not know {', '.join(map(repr, words))}; "
                "what they find for it means little")

    def stage(self, images: Iterable[np.ndarray]) -> None:
        """Start to copy images to the GPU that are segmented next, while the network may still work on others.

        They must not change until then. On a CPU nothing happens, and `images` is not even looked at.
        """
        if self.device.type == "cuda":
            for image in as_list(list(images)):
                self._backend.stage(image)

    def warm_up(self, cameras: int = 1) -> None:
        """Run one frame and one prompt, so that the first real frame is as fast as the others. Keeps nothing.

        On a GPU this also records the network for frames of up to so many cameras at once.

        Raises ValueError where the weights overflow in this precision, cuda.OutOfMemoryError where a GPU's memory
        does not suffice for one frame and one prompt.
        """
        height, width = self.input_size
        frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        with self._lock, torch.inference_mode():
            self._backend.prepare(cameras)
            features = self._backend.encode([frame])
            logits = self._backend.decode(features, self._embeddings.of_texts([Prompt("warm up")]))
            to_levels(logits, [(height, width)], [0.5])
            finite = bool(torch.isfinite(logits).all())
        if not finite:
            raise ValueError(f"the weights {self._name!r} overflow in {self.precision}; float32 or bfloat16 may do")

    def close(self) -> None:
        """Let go of the network, of what is kept of frames and prompts, and of a GPU's memory. Ends its use."""
        with self._lock:
            self._frames.clear()
            del self._model, self._backend, self._embeddings
            release_memory()

    def _decode(
        self, image: np.ndarray | Sequence[np.ndarray], prompts: list[Prompt], camera: str | Sequence[str]
    ) -> Tensor:
        """Logits (B, n, h, w) float32 on the device."""
        images, cameras = as_list(image), cameras_of(image, camera)
        self._embeddings.check(prompts)
        if not prompts or not images:
            return torch.empty((len(images), len(prompts), *self.input_size))
        features = self._backend.encode(images) if cameras is None else self._features(images, cameras)
        return self._paint(features, prompts)

    def _paint(self, features: ImageFeatures, prompts: list[Prompt]) -> Tensor:
        """Logits (B, n, h, w) float32 on the device, of encoded pictures; negatives have done their work."""
        return contrasted(self._backend.decode(features, self._embeddings.of(with_negatives(prompts))), prompts)

    def _features(self, images: list[np.ndarray], cameras: list[str]) -> ImageFeatures:
        """The encoded frames: those that equal their camera's last encoded one from the cache, the rest anew."""
        known = [self._frames.get(camera) for camera in cameras]
        new = [index for index, (camera, last, image) in enumerate(zip(cameras, known, images))
               if last is None or not self._is_known(camera, last[0], image)]
        if new:
            encoded = self._backend.encode([images[index] for index in new])
            for index, features in zip(new, encoded.split()):
                frame = np.array(images[index], order="C")
                known[index] = (frame, features)
                if self._unchanged is not None:
                    self._unchanged.encoded(cameras[index], frame)
        for camera, last in zip(cameras, known):
            remember(self._frames, camera, last, self._frames_kept)
        return encoded if len(new) == len(images) else ImageFeatures.join([features for _, features in known])

    def _is_known(self, camera: str, last: np.ndarray, image: np.ndarray) -> bool:
        """Whether the features of the camera's last encoded frame do for this one."""
        unchanged = self._unchanged
        return np.array_equal(last, image) or (unchanged is not None and unchanged.holds(camera, image))
