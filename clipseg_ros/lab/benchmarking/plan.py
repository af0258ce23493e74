# SPDX-License-Identifier: Apache-2.0
"""What to measure, checked before anything takes time."""

from __future__ import annotations

from dataclasses import dataclass

from clipseg_ros.clipseg.onnx import runtimes
from clipseg_ros.clipseg.setting import Setting, settle
from clipseg_ros.lab.benchmarking.peers import PEERS
from clipseg_ros.lab.benchmarking.subject import PUBLISHED_SIZE

LARGEST_SIDE = 8192


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes
    ----------
    weights : a name of `subject.RANDOM`, or what `load_checkpoint` takes.
    size : (width, height) of the camera's images in pixels.
    prompts : numbers of prompts, each a case of its own.
    backends, precisions : every backend is measured in every precision.
    device, input_size : as for a Segmenter.
    threads : PyTorch's and the backends' threads on the CPU; None for PyTorch's own choice.
    repeats : counted calls of each contender.
    peers : of `peers.PEERS`, whom to compare with.
    allow_download : whether published weights may be fetched.

    Raises ValueError for numbers that make no sense, and for an unknown peer.
    """

    weights: str = PUBLISHED_SIZE
    size: tuple[int, int] = (640, 480)
    prompts: tuple[int, ...] = (1, 4, 8)
    backends: tuple[str, ...] = ("torch",)
    precisions: tuple[str, ...] = ("auto",)
    device: str = "auto"
    input_size: int = 0
    threads: int | None = None
    repeats: int = 7
    peers: tuple[str, ...] = tuple(PEERS)
    allow_download: bool = False

    def __post_init__(self) -> None:
        if len(self.size) != 2 or not all(1 <= side <= LARGEST_SIDE for side in self.size):
            raise ValueError(f"size is {self.size}; it must be width and height, each from 1 to {LARGEST_SIDE} pixels")
        if not self.prompts or min(self.prompts) < 1:
            raise ValueError(f"prompts is {self.prompts}; it must be one or more numbers from 1")
        for name in self.peers:
            if name not in PEERS:
                raise ValueError(f"{name!r} is no known peer; known are {', '.join(PEERS)}")
        for name in ("threads", "repeats"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")

    @property
    def counts(self) -> list[int]:
        """The numbers of prompts, ascending, each once."""
        return sorted(set(self.prompts))

    def settings(self) -> list[Setting]:
        """What the network is measured on, each once.

        Raises ValueError for what is unknown, does not go together or is not in this machine, ImportError for a backend
        that is not installed.
        """
        settings = [settle(backend, self.device, precision)
                    for backend in self.backends for precision in self.precisions]
        for setting in settings:
            if setting.backend != "torch":
                runtimes.require(setting.backend, setting.precision)
        return list(dict.fromkeys(settings))
