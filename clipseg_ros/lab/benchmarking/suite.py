# SPDX-License-Identifier: Apache-2.0
"""The whole measurement, from a plan to a result."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

import torch

from clipseg_ros.clipseg.backend import pick_side
from clipseg_ros.clipseg.segmenter import Segmenter
from clipseg_ros.clipseg.setting import Setting
from clipseg_ros.clipseg.unchanged import UnchangedScene
from clipseg_ros.lab.benchmarking import cases
from clipseg_ros.lab.benchmarking.arithmetic import Arithmetic, block_products, count_arithmetic
from clipseg_ros.lab.benchmarking.disagreement import Reference
from clipseg_ros.lab.benchmarking.figures import describe_case, extra_prompt
from clipseg_ros.lab.benchmarking.inputs import PHRASES, pictures
from clipseg_ros.lab.benchmarking.limit import limiting_precision, measure_limit
from clipseg_ros.lab.benchmarking.machine import describe_machine, list_versions, other_load
from clipseg_ros.lab.benchmarking.measure import Contender, clock_of, take_turns
from clipseg_ros.lab.benchmarking.peers import Peer, open_peers, precision_of_peers
from clipseg_ros.lab.benchmarking.plan import Plan
from clipseg_ros.lab.benchmarking.subject import Subject, open_subject

FORMAT = 2
"""Changes whenever a result's names do."""

RESIZED_AND_RANDOM = ("masks of random weights do not tell what another input size costs; measure that with weights "
                      "that were trained, such as --weights demo")
"""Remark on a comparison of masks that says nothing."""

LIMITS = ("float32", "bfloat16")
"""Number formats whose limit is always measured."""

_REFERENCE = "transformers"
"""The peer whose masks are the measure."""

_FOREVER = 1e9
"""Seconds."""

Progress = Callable[[int, int, str], None]
"""Told how many steps of how many are done, and what comes now."""


def run_suite(plan: Plan, *, progress: Progress = lambda done, total, what: None) -> dict[str, Any]:
    """Measure what `plan` says.

    Returns a dictionary of plain values that JSON can hold: machine, versions, settings, limits (FLOP/s by device and
    number format), arithmetic (FLOP), left_out (sentences), reference (a name, or None) and networks, a list with an
    entry for each backend and precision, whose cases have what `figures.describe_case` returns.

    Raises ValueError, OSError and ImportError, each with one sentence, before anything is measured.
    """
    settings = plan.settings()
    load = other_load()
    steps = _Steps(_count_steps(plan, settings), progress)
    with _using_threads(plan.threads), contextlib.ExitStack() as stack:
        steps(f"making {plan.weights} ready")
        subject = stack.enter_context(
            open_subject(plan.weights, for_peers=bool(plan.peers), allow_download=plan.allow_download))
        return _Suite(plan, settings, subject, steps).run([load] if load else [])


class _Steps:
    """Counts what is done, and tells."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done = -1
        self._total = total
        self._progress = progress

    def __call__(self, what: str) -> None:
        """The step before this one is done."""
        self._done += 1
        self._progress(self._done, self._total, what)

    def say(self, what: str) -> None:
        """Something about the step that goes on."""
        self._progress(self._done, self._total, what)


class _Suite:
    """One run, with what all of its parts need."""

    def __init__(self, plan: Plan, settings: list[Setting], subject: Subject, steps: _Steps) -> None:
        self._plan = plan
        self._settings = settings
        self._subject = subject
        self._steps = steps
        self._left_out: dict[str, None] = {}
        self._side = pick_side(subject.model, plan.input_size)
        self._arithmetic: Arithmetic = count_arithmetic(subject.model.config, self._side)

    def run(self, remarks: list[str]) -> dict[str, Any]:
        limits = self._measure_limits()
        self._steps("looking at the reference's masks")
        reference = self._look_at_reference()
        networks = [self._measure(setting, limits, reference) for setting in self._settings]
        self._steps("done")
        plan, side = self._plan, self._side
        if self._is_resized() and self._subject.random:
            remarks = [*remarks, RESIZED_AND_RANDOM]
        return {
            "format": FORMAT,
            "date": datetime.now(timezone.utc).date().isoformat(),
            "machine": self._describe_machine(),
            "versions": list_versions(),
            "settings": {"weights": self._subject.name, "random": self._subject.random, "image": list(plan.size),
                         "input_size": [side, side], "repeats": plan.repeats},
            "limits": limits,
            "arithmetic": asdict(self._arithmetic),
            "remarks": remarks,
            "left_out": list(self._left_out),
            "reference": reference.name if reference else None,
            "networks": networks,
        }

    def _is_resized(self) -> bool:
        """Whether the input is not of the weights' own size."""
        return self._side != self._subject.model.config.image_size

    def _device(self) -> torch.device:
        """The one that is described: a GPU if one is measured."""
        devices = [setting.device for setting in self._settings]
        return next((device for device in devices if device.type == "cuda"), devices[0])

    def _describe_machine(self) -> dict[str, Any]:
        machine = describe_machine(self._device())
        return {**asdict(machine), "instruction_sets": list(machine.instruction_sets),
                "threads": torch.get_num_threads()}

    def _measure_limits(self) -> dict[str, dict[str, float]]:
        config = self._subject.model.config
        products = block_products(config, config.image_size)
        limits: dict[str, dict[str, float]] = {}
        for device, precision in _limits_of(self._settings):
            self._steps(f"multiplying matrices in {precision} on {device}")
            limits.setdefault(str(device), {})[precision] = measure_limit(products, precision, device)
        return limits

    def _look_at_reference(self) -> Reference | None:
        """transformers in float32; without it this package in PyTorch and float32, if something else is measured."""
        plain = Setting("torch", self._device(), "float32")
        peers = self._open_peers(plain, names=set(self._plan.peers) & {_REFERENCE})
        if peers:
            name, segment = f"{_REFERENCE} in float32", peers[0].segment
        elif set(self._settings) != {plain} or self._is_resized():
            name, segment = "this package in PyTorch and float32", self._open(plain, input_size=0).segment
        else:
            return None
        return Reference(name, segment, pictures(self._plan.size), PHRASES, random=self._subject.random)

    def _measure(
        self, setting: Setting, limits: dict[str, dict[str, float]], reference: Reference | None
    ) -> dict[str, Any]:
        """One backend in one precision."""
        about = f"{setting.backend} {setting.precision}"
        self._steps(f"{about}: comparing masks")
        ours, peers = self._open(setting), self._open_peers(setting, self._plan.peers)
        limit = limits[str(setting.device)].get(limiting_precision(setting))
        differing = {} if reference is None else {
            name: reference.disagreement(segment)
            for name, segment in ((cases.OURS, ours.segment), *((peer.name, peer.segment) for peer in peers))}
        size, counts = self._plan.size, self._plan.counts
        images = [
            {"prompts": count, "flop": self._arithmetic.image(count), **self._time(
                cases.new_image(ours, peers, prompts=count, size=size), setting, f"{about}, {count} prompts",
                flop=self._arithmetic.image(count), limit=limit)}
            for count in counts]
        prompt = self._time(cases.new_prompt(ours, peers, size=size), setting, f"{about}, a new prompt")
        reusing = self._open(setting, unchanged=UnchangedScene(max_age=_FOREVER))
        still = self._time(cases.unchanged_scene(ours, reusing, size=size), setting, f"{about}, a scene at rest")
        reusing.close()
        medians = [case["ms"][cases.OURS]["median"] for case in images]
        return {"backend": setting.backend, "device": str(setting.device), "precision": setting.precision,
                "peers_precision": precision_of_peers(setting.precision, setting.device),
                "images": images, "new_prompt": prompt, "unchanged": still,
                "extra_prompt": extra_prompt(counts, medians), "disagreement": differing}

    def _time(
        self, contenders: Sequence[Contender], setting: Setting, what: str, *, flop: int | None = None,
        limit: float | None = None,
    ) -> dict[str, Any]:
        self._steps.say(what)
        samples = take_turns(contenders, repeats=self._plan.repeats, warm_up=_warm_up(setting),
                             clock=clock_of(setting.device), on_round=lambda: self._steps(what))
        return describe_case(samples, flop=flop, limit=limit)

    def _open(self, setting: Setting, **changes: Any) -> Segmenter:
        model = self._subject.model
        if setting.device.type == "cuda":  # a Segmenter moves the network, which others still need on the CPU
            model = copy.deepcopy(model)
        return Segmenter(model, name=self._subject.name, trained=not self._subject.random,
                         progress=self._steps.say, **{"input_size": self._side, **setting._asdict(), **changes})

    def _open_peers(self, setting: Setting, names: Iterable[str]) -> list[Peer]:
        peers, left_out = open_peers(self._subject.folder, self._subject.model.config, precision=setting.precision,
                                     device=setting.device, names=names)
        self._left_out.update(dict.fromkeys(left_out))
        return peers


def _limits_of(settings: list[Setting]) -> list[tuple[torch.device, str]]:
    """Every device with `LIMITS` and with the formats that limit something measured on it."""
    wanted = [(setting.device, precision) for setting in settings
              for precision in (*LIMITS, limiting_precision(setting)) if precision]
    return list(dict.fromkeys(wanted))


def _warm_up(setting: Setting) -> int:
    """A GPU chooses its kernels in the first calls."""
    return 3 if setting.device.type == "cuda" else 1


def _count_steps(plan: Plan, settings: list[Setting]) -> int:
    rounds = sum((len(plan.counts) + 2) * (plan.repeats + _warm_up(setting)) for setting in settings)
    return 2 + len(_limits_of(settings)) + len(settings) + rounds


@contextlib.contextmanager
def _using_threads(threads: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
