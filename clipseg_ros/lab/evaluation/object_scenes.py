# SPDX-License-Identifier: Apache-2.0
"""Scenes of the simulated home with questions about their objects and the network's answers, kept as files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from clipseg_ros.clipseg.whole_files import replacing
from clipseg_ros.lab.scenes.phrases import Phrase, sample_phrases
from clipseg_ros.lab.scenes.scene import Scene, SceneObject
from clipseg_ros.perception.camera import Pinhole

COUNTS = {"noun": 3, "affordance": 2, "absent": 2}
"""Questions of each type that are asked about a scene, at most."""


class Network(Protocol):
    """What answers the questions; a Segmenter."""

    def logits(self, image: np.ndarray, prompts: Sequence[str]) -> np.ndarray:
        """(n, h, w) float32, before the sigmoid."""


@dataclass(frozen=True)
class ObjectScene:
    """A scene, what is asked about it and what the network answers.

    questions : (n) phrases, with the ids of the objects that are meant; none for an absent one
    logits : (n, h, w) float16, the network's answers at its own size
    """

    scene: Scene
    questions: tuple[Phrase, ...]
    logits: np.ndarray

    @property
    def camera(self) -> Pinhole:
        """That took the picture."""
        height, width = self.scene.ids.shape
        k = self.scene.k
        return Pinhole(k[0, 0], k[1, 1], k[0, 2], k[1, 2], (width, height))

    @property
    def answers(self) -> np.ndarray:
        """(n, H, W) float32 in [0, 1]: the network's probabilities."""
        height, width = self.scene.ids.shape
        small = 1 / (1 + np.exp(-self.logits.astype(np.float32)))
        sized = [cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in small]
        return np.stack(sized) if sized else np.zeros((0, height, width), np.float32)

    @property
    def truths(self) -> np.ndarray:
        """(n, H, W) float32 of 0 and 1: the masks of all that is meant."""
        return np.stack([phrase.mask(self.scene.ids) for phrase in self.questions]).astype(np.float32)


def ask(scene: Scene, network: Network) -> ObjectScene:
    """The questions of a scene, which its seed decides, and the network's answers."""
    rng = np.random.default_rng([scene.seed, 37])
    phrases = tuple(sample_phrases(scene.objects, scene.ids, rng, counts=COUNTS))
    logits = network.logits(scene.rgb, [phrase.text for phrase in phrases])
    return ObjectScene(scene, phrases, logits.astype(np.float16))


def kept_scenes(folder: Path, count: int, network: Network, *, seed: int,
                held_out: bool = False) -> Iterator[ObjectScene]:
    """The first `count` scenes of a seed: read from the folder, rendered and written there where they are missing.

    Raises ImportError without MuJoCo or the furniture package, unless all of them are in the folder.
    """
    from clipseg_ros.lab.scenes.stream import stream_scenes

    name = f"seed{seed}{'-held-out' if held_out else ''}"
    files = [folder / f"{name}-{number:04d}.npz" for number in range(count)]
    scenes: Iterable[Scene | None] = [None] * count
    if not all(file.is_file() for file in files):
        scenes = stream_scenes(count, seed=seed, held_out=held_out)
    for file, scene in zip(files, scenes):
        if scene is not None and not file.is_file():
            save(file, ask(scene, network))
        yield load(file)


def save(file: Path, one: ObjectScene) -> None:
    """Write a scene as one compressed file."""
    scene = one.scene
    about = {"objects": [thing.to_dict() for thing in scene.objects], "seed": scene.seed,
             "questions": [asdict(phrase) for phrase in one.questions]}
    with replacing(file, lasting=False) as part:
        np.savez_compressed(part, rgb=scene.rgb, depth=scene.depth, ids=scene.ids, k=scene.k,
                            camera_pose=scene.camera_pose, logits=one.logits, about=np.array(json.dumps(about)))


def load(file: Path) -> ObjectScene:
    """The inverse of `save`."""
    with np.load(file) as stored:
        about = json.loads(str(stored["about"]))
        objects = tuple(SceneObject.from_dict(values) for values in about["objects"])
        scene = Scene(stored["rgb"], stored["depth"], stored["ids"], stored["k"], stored["camera_pose"], objects,
                      about["seed"])
        questions = tuple(Phrase(values["text"], values["type"], tuple(values["ids"])) for values in about["questions"])
        return ObjectScene(scene, questions, stored["logits"])
