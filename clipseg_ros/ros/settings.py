# SPDX-License-Identifier: Apache-2.0
"""The node's parameters, each declared once, and a snapshot of their values."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from clipseg_ros.clipseg.choices import BACKENDS, GPU_GRAPHS, ON_OOM
from clipseg_ros.clipseg.written import PromptText, check_threshold, parse_prompts
from clipseg_ros.perception.location import POINTS
from clipseg_ros.perception.objects import MODES
from clipseg_ros.perception.selection import Limits
from clipseg_ros.perception.sixteen_bits import RANGES
from clipseg_ros.ros.specs import Spec

TRANSPORTS = ("raw", "compressed")
PRECISIONS = tuple(dict.fromkeys(precision for known in BACKENDS.values() for precision in known))


def parameter(default: Any, description: str, *, live: bool = False, range: tuple[float, float] | None = None,
              words: tuple[str, ...] = (), check: Callable[[Any], None] | None = None) -> Any:
    """A field of `Settings` that is a parameter of the node; the arguments are those of `Spec`."""
    value = tuple(default) if isinstance(default, list) else default
    return field(default=value, metadata={"spec": Spec(default, description, live, range, words, check)})


def _check_cameras(names: Sequence[str]) -> None:
    if not names:
        raise ValueError("no camera is named; at least one must be")
    for name in names:
        if not (name.isascii() and name.isidentifier()):
            raise ValueError(f"the camera name {name!r} cannot be part of a topic; it must be letters, digits and '_' "
                             "and not begin with a digit")
    if len(set(names)) < len(names):
        raise ValueError(f"a camera is named twice in {', '.join(names)}; each must have its own name")


def _check_rates(rates: Sequence[float]) -> None:
    for rate in rates:
        if not 0 <= rate <= 1000:
            raise ValueError(f"a rate is {rate:g}; it must be 0 to 1000 frames per second")


def _check_prompts(lines: Sequence[str]) -> None:
    parse_prompts(*lines)


def _check_threshold(value: float) -> None:
    if value:
        check_threshold(value)


def _check_device(value: str) -> None:
    if value not in ("auto", "cpu", "cuda") and not (value.startswith("cuda:") and value[5:].isdigit()):
        raise ValueError(f"{value!r} is unknown; it must be auto, cpu, cuda or cuda:N")


@dataclass(frozen=True)
class Settings:
    """The values of all parameters at one moment; never changed, only replaced.

    Those that are live can change at any time, the others until the node is configured.
    """

    weights: str = parameter("demo", "Weights of the network: a path, or demo, published or untrained.")
    device: str = parameter("auto", "Where the network runs: auto, cpu, cuda or cuda:N.", check=_check_device)
    precision: str = parameter("auto",
        "Number format of the network: auto, float32, bfloat16, float16, or int8 with the backends "
        "openvino and onnxruntime.",
        words=PRECISIONS)
    on_oom: str = parameter("error",
        "What happens where a GPU's memory does not suffice or a GPU is wrong: error, or cpu, which then runs the "
        "network.",
        words=ON_OOM)
    gpu_graphs: str = parameter("auto",
        "Whether a GPU replays recorded graphs of the network: auto, if they prove right, or off.",
        words=GPU_GRAPHS)
    backend: str = parameter("torch",
        "What runs the network: torch, or on the CPU openvino or onnxruntime, if installed.",
        words=tuple(BACKENDS))
    input_size: int = parameter(0,
        "Side in pixels to which images are squashed, a multiple of the patch size; smaller is faster and "
        "coarser. 0: the weights' own.",
        range=(0, 1024))
    reuse_features: bool = parameter(False,
        "Whether an image that looks like the camera's last encoded one is not encoded again; the masks "
        "are then those of the last one.")
    reuse_difference: float = parameter(2.0,
        "Largest difference of a pixel of their small copies, in levels of 0 to 255, up to which images look alike.",
        range=(0.0, 255.0))
    reuse_max_age: float = parameter(1.0,
        "How long an encoded image does for others that look like it, in seconds.",
        range=(0.01, 3600.0))
    allow_download: bool = parameter(False, "Whether weights that are not on this machine may be downloaded.")
    autostart: bool = parameter(True, "Whether the node configures and activates itself when it starts.")
    cameras: tuple[str, ...] = parameter(["camera"],
        "Names of the cameras. One camera uses the topics image, camera_info and depth; of several each "
        "has its own beneath its name.",
        check=_check_cameras)
    image_transport: str = parameter("raw",
        "How images arrive: raw, or compressed on the topic image/compressed.",
        words=TRANSPORTS)
    mono16_range: str = parameter("auto",
        "What is white in pictures of 16 bits: auto, the most that the 10, 12, 14 or 16 bits hold that a picture uses; "
        "full, 65535.",
        words=RANGES)
    depth_transport: str = parameter("raw",
        "How depth images arrive: raw, or compressed on the topic depth/compressedDepth.",
        words=TRANSPORTS)
    rectified: bool = parameter(False,
        "Whether images are free of lens distortion although camera_info has coefficients; its projection "
        "matrix then describes them.",
        live=True)
    assume_registered: bool = parameter(False,
        "Whether depth is that of the image's pixels although its frame_id differs.",
        live=True)
    min_depth: float = parameter(0.05,
        "Nearer readings of the depth camera are faulty, in metres.",
        live=True, range=(0.0, 100.0))
    max_depth: float = parameter(20.0,
        "Farther readings of the depth camera are faulty, in metres.",
        live=True, range=(0.0, 1000.0))
    depth_slop: float = parameter(0.05,
        "How far the stamp of a depth image may be from the image's, in seconds.",
        live=True, range=(0.0, 1.0))
    prompts: tuple[str, ...] = parameter([""],
        "What to look for, each as 'text', 'text=threshold', 'text !negative' or '@name', several also in one text, "
        "separated by ';'.",
        live=True, check=_check_prompts)
    threshold: float = parameter(0.0,
        "Probability from which a pixel belongs to a prompt without a threshold of its own. 0: that of the weights.",
        live=True, range=(0.0, 1.0), check=_check_threshold)
    min_area: int = parameter(64, "Smaller regions are no objects, in pixels.", live=True, range=(1, 100_000_000))
    max_area: int = parameter(0, "Larger regions are no objects, in pixels; 0: none is too large.", live=True,
        range=(0, 100_000_000))
    max_regions: int = parameter(20, "At most so many objects per prompt, the best.", live=True, range=(1, 256))
    min_size: float = parameter(0.0,
        "Smaller objects are none where there is depth: the side, in metres, of a square of their visible area.",
        live=True, range=(0.0, 10.0))
    object_masks: bool = parameter(True,
        "Whether the objects on ~/objects carry their masks, which are most of their bytes.", live=True)
    refine: str = parameter("objects",
        "What masks, labels and probabilities show: none, what the network said; edges, with the edges of the picture; "
        "objects, nothing but the objects.",
        live=True, words=MODES)
    point: str = parameter("centroid",
        "What stands for an object: the centroid of its visible surface; the interior point, which lies on it even "
        "where it is a ring; or top, the middle of its upper face, for which the target_frame's z axis or the topic "
        "imu says where up is.",
        live=True, words=POINTS)
    label_scale: float = parameter(1.0,
        "Size of ~/label_mask, ~/confidence and ~/points, whose pixels belong together, and of ~/scene_cloud, as a "
        "share of the image's.",
        live=True, range=(0.01, 1.0))
    scene_without: tuple[str, ...] = parameter([""],
        "Prompts whose objects are left out of ~/scene_cloud; empty: those of all prompts.", live=True)
    target_frame: str = parameter("", "Frame of the poses. Empty: that of the image. Another one needs tf2_ros.")
    tf_timeout: float = parameter(0.1,
        "How long a transform at the image's stamp is waited for, in seconds.",
        range=(0.0, 5.0))
    segment_max_age: float = parameter(0.0,
        "The oldest newest frame that ~/segment takes, in seconds since it arrived; 0: of any age, and the answer's "
        "message tells the age of one older than a second.",
        live=True, range=(0.0, 3600.0))
    tracking: bool = parameter(True, "Whether objects keep their number from frame to frame.")
    track_memory: float = parameter(2.0,
        "How long an object that is not seen keeps its number, in seconds; longer than a frame takes.",
        range=(0.05, 600.0))
    track_births: int = parameter(1,
        "In so many frames an object must be seen before it gets a number.",
        range=(1, 100))
    smoothing_weight: float = parameter(1.0,
        "Share of a new pose in the published one, for tracked objects; 1 does not smooth.",
        range=(0.01, 1.0))
    memory_size: float = parameter(0.0,
        "Megabytes in which frames are remembered, for ~/recall; 0 remembers none. Needs memory_frame.",
        range=(0.0, 1e6))
    memory_frame: str = parameter("",
        "Fixed frame in which the memory knows where things are: map or odom. Where the cameras are in it comes from "
        "the topic camera_pose of each, or from tf2.")
    memory_file: str = parameter("", "File that keeps the memory over restarts. Empty: none.")
    memory_save_period: float = parameter(60.0,
        "Seconds between two times that memory_file is written; it also is when the node is deactivated. 0: only then.",
        range=(0.0, 86400.0))
    max_rate: float = parameter(0.0,
        "At most so many frames per second and camera are processed; 0 means no limit.",
        live=True, range=(0.0, 1000.0))
    max_rates: tuple[float, ...] = parameter([0.0],
        "max_rate of each camera in the order of cameras, where they differ; 0 and missing ones mean "
        "max_rate.",
        live=True, check=_check_rates)
    max_batch: int = parameter(4,
        "So many cameras' frames that wait at the same time are processed together.",
        range=(1, 16))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """The snapshot of parameters' values; those that are missing or None have their defaults."""
        return cls(**{name: tuple(value) if isinstance(SPECS[name].default, list) else value
                      for name, value in values.items() if value is not None})

    @property
    def prompt_texts(self) -> tuple[PromptText, ...]:
        """The prompts, parsed."""
        return parse_prompts(*self.prompts)

    @property
    def rates(self) -> dict[str, float]:
        """Frames per second of each camera that has a limit of its own."""
        return {camera: rate for camera, rate in zip(self.cameras, self.max_rates) if rate > 0}

    @property
    def prefixes(self) -> dict[str, str]:
        """What is in front of each camera's topics, by its name: nothing where there is only one."""
        return {name: "" if len(self.cameras) == 1 else f"{name}/" for name in self.cameras}

    @property
    def limits(self) -> Limits:
        """What is too small or too much for an object."""
        return Limits(self.min_area, self.max_regions, self.min_size, self.max_area)

    def check(self) -> None:
        """Raise ValueError, with a sentence, where values do not go together."""
        if self.min_depth >= self.max_depth:
            raise ValueError(f"min_depth is {self.min_depth:g} m and max_depth {self.max_depth:g} m; the first must be "
                             "the smaller one")
        if 0 < self.max_area < self.min_area:
            raise ValueError(f"min_area is {self.min_area} and max_area {self.max_area} pixels; the first must not be "
                             "the larger one, unless max_area is 0, which is no limit")
        if self.memory_size and (not self.memory_frame or self.memory_frame.startswith("/")):
            raise ValueError(f"memory_size is {self.memory_size:g} MB and memory_frame {self.memory_frame!r}; a memory "
                             "needs the name of a frame that does not move, such as map or odom, without a slash")
        if len(self.max_rates) > max(len(self.cameras), 1):
            raise ValueError(f"max_rates has {len(self.max_rates)} rates for {len(self.cameras)} cameras; give at most "
                             "one each")


SPECS: dict[str, Spec] = {one.name: one.metadata["spec"] for one in fields(Settings)}
