# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the node: declared once, with its description, its range and its check."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import ParameterUninitializedException
from rclpy.node import Node
from rclpy.parameter import Parameter

from clipseg_ros.clipseg.device import BACKENDS
from clipseg_ros.clipseg.startup import ON_OOM
from clipseg_ros.perception.location import POINTS
from clipseg_ros.ros.prompt_text import PromptText, as_unique, check_threshold, parse_prompt

TRANSPORTS = ("raw", "compressed")
PRECISIONS = tuple(dict.fromkeys(precision for known in BACKENDS.values() for precision in known))


def parse_list(texts: Sequence[str]) -> tuple[PromptText, ...]:
    """The prompts of a list of texts, empty ones left out. ValueError as `parse_prompt`."""
    return as_unique(parse_prompt(text) for text in texts if text.strip())


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


def _one_of(*choices: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if value not in choices:
            raise ValueError(f"{value!r} is unknown; it must be one of {', '.join(choices)}")
    return check


def _check_device(value: str) -> None:
    if value not in ("auto", "cpu", "cuda") and not (value.startswith("cuda:") and value[5:].isdigit()):
        raise ValueError(f"{value!r} is unknown; it must be auto, cpu, cuda or cuda:N")


@dataclass(frozen=True)
class _Spec:
    """One parameter. A live one can change at any time, another only until the node is configured."""

    default: Any
    description: str
    live: bool = False
    range: tuple[float, float] | None = None
    check: Callable[[Any], None] | None = None

    def descriptor(self) -> ParameterDescriptor:
        when = "Can be changed while running." if self.live else "Read when the node is configured."
        descriptor = ParameterDescriptor(description=f"{self.description} {when}")
        if self.range and isinstance(self.default, float):
            low, high = self.range
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        elif self.range:
            low, high = self.range
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        return descriptor


SPECS: dict[str, _Spec] = {
    "weights": _Spec("demo", "Weights of the network: a path, or demo, published or untrained."),
    "device": _Spec("auto", "Where the network runs: auto, cpu, cuda or cuda:N.", check=_check_device),
    "precision": _Spec("auto", "Number format of the network: auto, float32, bfloat16, float16, or int8 with the "
                       "backends openvino and onnxruntime.", check=_one_of(*PRECISIONS)),
    "on_oom": _Spec("error", "What happens where a GPU's memory does not suffice: error, or cpu, which then runs the "
                    "network.", check=_one_of(*ON_OOM)),
    "backend": _Spec("torch", "What runs the network: torch, or on the CPU openvino or onnxruntime, if installed.",
                     check=_one_of(*BACKENDS)),
    "input_size": _Spec(0, "Side in pixels to which images are squashed, a multiple of the patch size; smaller is faster "
                        "and coarser. 0: the weights' own.", range=(0, 1024)),
    "reuse_features": _Spec(False, "Whether an image that looks like the camera's last encoded one is not encoded again; "
                            "the masks are then those of the last one."),
    "reuse_difference": _Spec(1.0, "Mean difference of small grey copies, in levels of 0 to 255, up to which images look "
                              "alike.", range=(0.0, 255.0)),
    "reuse_max_age": _Spec(1.0, "How long an encoded image does for others that look like it, in seconds.",
                           range=(0.01, 3600.0)),
    "allow_download": _Spec(False, "Whether weights that are not on this machine may be downloaded."),
    "autostart": _Spec(True, "Whether the node configures and activates itself when it starts."),
    "cameras": _Spec(["camera"], "Names of the cameras. One camera uses the topics image, camera_info and depth; "
                     "of several each has its own beneath its name.", check=_check_cameras),
    "image_transport": _Spec("raw", "How images arrive: raw, or compressed on the topic image/compressed.",
                             check=_one_of(*TRANSPORTS)),
    "depth_transport": _Spec("raw", "How depth images arrive: raw, or compressed on the topic depth/compressedDepth.",
                             check=_one_of(*TRANSPORTS)),
    "rectified": _Spec(False, "Whether images are free of lens distortion although camera_info has coefficients; its "
                       "projection matrix then describes them.", live=True),
    "assume_registered": _Spec(False, "Whether depth is that of the image's pixels although its frame_id differs.",
                               live=True),
    "min_depth": _Spec(0.05, "Nearer readings of the depth camera are faulty, in metres.", live=True,
                       range=(0.0, 100.0)),
    "max_depth": _Spec(20.0, "Farther readings of the depth camera are faulty, in metres.", live=True,
                       range=(0.0, 1000.0)),
    "depth_slop": _Spec(0.05, "How far the stamp of a depth image may be from the image's, in seconds.",
                        live=True, range=(0.0, 1.0)),
    "prompts": _Spec([""], "What to look for, each as 'text', 'text=threshold' or '@name'. Empty texts are ignored.",
                     live=True, check=parse_list),
    "threshold": _Spec(0.5, "Probability from which a pixel belongs to a prompt without a threshold of its own.",
                       live=True, range=(0.0, 1.0), check=check_threshold),
    "min_area": _Spec(64, "Smaller regions are no objects, in pixels.", live=True, range=(1, 100_000_000)),
    "max_regions": _Spec(20, "At most so many objects per prompt, the best.", live=True, range=(1, 256)),
    "point": _Spec("centroid", "What stands for an object: the centroid of its visible surface, or the interior point, "
                   "which lies on it even where it is a ring.", live=True, check=_one_of(*POINTS)),
    "target_frame": _Spec("", "Frame of the poses. Empty: that of the image. Another one needs tf2_ros."),
    "tf_timeout": _Spec(0.1, "How long a transform at the image's stamp is waited for, in seconds.", range=(0.0, 5.0)),
    "tracking": _Spec(True, "Whether objects keep their number from frame to frame."),
    "track_memory": _Spec(2.0, "How long an object that is not seen keeps its number, in seconds; longer than a frame "
                          "takes.", range=(0.05, 600.0)),
    "track_births": _Spec(1, "In so many frames an object must be seen before it gets a number.", range=(1, 100)),
    "smoothing_weight": _Spec(1.0, "Share of a new pose in the published one, for tracked objects; 1 does not smooth.",
                              range=(0.01, 1.0)),
    "max_rate": _Spec(0.0, "At most so many frames per second and camera are processed; 0 means no limit.",
                      live=True, range=(0.0, 1000.0)),
    "max_rates": _Spec([0.0], "max_rate of each camera in the order of cameras, where they differ; 0 and missing ones "
                       "mean max_rate.", live=True, check=_check_rates),
    "max_batch": _Spec(4, "So many cameras' frames that wait at the same time are processed together.", range=(1, 16)),
}


class Parameters:
    """The declared parameters of a node, and what happens when one changes.

    Parameters
    ----------
    node : on which they are declared
    frozen : whether the parameters that are not live are in use now
    apply : called with the new values of live parameters, by name; a ValueError refuses them with its sentence

    Raises
    ------
    ValueError, rclpy.exceptions.ParameterException
        If the node was started with a bad value.
    """

    def __init__(self, node: Node, *, frozen: Callable[[], bool], apply: Callable[[dict[str, Any]], None]) -> None:
        self._node = node
        self._frozen = frozen
        self._apply = apply
        for name, spec in SPECS.items():
            node.declare_parameter(name, spec.default, spec.descriptor())
            self._check(name, self[name])
        self._check_together({name: self[name] for name in SPECS})
        node.add_on_set_parameters_callback(self._on_set)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._node.get_parameter(name).value
        except ParameterUninitializedException:
            return SPECS[name].default

    @property
    def prompts(self) -> tuple[PromptText, ...]:
        """The prompts of the parameter, parsed."""
        return parse_list(self["prompts"])

    @property
    def max_rates(self) -> dict[str, float]:
        """The rate of each camera that has one of its own."""
        return self.rates_of(self["max_rates"])

    def rates_of(self, rates: Sequence[float]) -> dict[str, float]:
        """Rates in the order of the cameras, by name; those without a limit of their own left out.

        Raises
        ------
        ValueError
            If there are more rates than cameras.
        """
        cameras = self["cameras"]
        if len(rates) > max(len(cameras), 1):
            raise ValueError(f"max_rates has {len(rates)} rates for {len(cameras)} cameras; give at most one each")
        return {camera: rate for camera, rate in zip(cameras, rates) if rate > 0}

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        ours = {parameter.name: parameter.value for parameter in parameters if parameter.name in SPECS}
        try:
            for name, value in ours.items():
                self._check(name, value)
                if not SPECS[name].live and self._frozen() and value != self[name]:
                    raise ValueError(f"{name} is in use: clean the node up first, and the new value will be read "
                                     "when it is configured again")
            self._check_together({**{name: self[name] for name in ("min_depth", "max_depth", "max_rates")}, **ours})
            self._apply({name: value for name, value in ours.items() if SPECS[name].live})
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _check_together(self, values: dict[str, Any]) -> None:
        if values["min_depth"] >= values["max_depth"]:
            raise ValueError(f"min_depth is {values['min_depth']:g} m and max_depth {values['max_depth']:g} m; the first "
                             "must be the smaller one")
        self.rates_of(values["max_rates"])

    @staticmethod
    def _check(name: str, value: Any) -> None:
        check = SPECS[name].check
        try:
            if check is not None and value is not None:
                check(value)
        except ValueError as error:
            raise ValueError(f"the parameter {name} cannot be set: {error}") from None
