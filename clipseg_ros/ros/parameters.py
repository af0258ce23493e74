# SPDX-License-Identifier: Apache-2.0
"""The node's declared parameters: what is in force, and what happens when one is set."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from clipseg_ros.ros.reports import in_short
from clipseg_ros.ros.settings import SPECS, Settings
from clipseg_ros.ros.specs import Spec, declare


class Parameters:
    """Declares the parameters, refuses bad values, and swaps the snapshot when good ones were set.

    Parameters
    ----------
    node : on which they are declared
    frozen : whether the parameters that are not live are in use now
    check : called with settings that may come into force and the names of those that are set; a ValueError refuses them
    changed : called with the settings in force and the names of those that were set

    Raises
    ------
    ValueError, rclpy.exceptions.ParameterException
        If the node was started with a bad value.

    Attributes
    ----------
    settings : those in force
    """

    def __init__(self, node: Node, *, frozen: Callable[[], bool], check: Callable[[Settings, set[str]], None],
                 changed: Callable[[Settings, set[str]], None]) -> None:
        self._frozen = frozen
        self._check = check
        self._changed = changed
        self.settings = Settings.of(declare(node, SPECS, _describe))
        self.settings.check()
        node.add_on_set_parameters_callback(self._on_set)
        self._applies_later = hasattr(node, "add_post_set_parameters_callback")  # Humble lacks it
        if self._applies_later:
            node.add_post_set_parameters_callback(self._apply)

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        """Judge values that are set together as one."""
        ours = _ours(parameters)
        try:
            for name, value in ours.items():
                SPECS[name].refuse(name, value)
            candidate = self._with(ours)
            for name in ours:
                if not SPECS[name].live and self._frozen() and getattr(candidate, name) != getattr(self.settings, name):
                    raise ValueError(f"{name} is in use: clean the node up first, and the new value will be read when "
                                     "it is configured again")
            if ours:
                candidate.check()
                self._check(candidate, set(ours))
        except ValueError as error:
            return SetParametersResult(successful=False, reason=in_short(str(error)))
        if not self._applies_later:
            self._apply(parameters)
        return SetParametersResult(successful=True)

    def _apply(self, parameters: list[Parameter]) -> None:
        ours = _ours(parameters)
        if ours:
            self.settings = self._with(ours)
            self._changed(self.settings, set(ours))

    def _with(self, values: dict[str, Any]) -> Settings:
        return Settings.of({**asdict(self.settings), **values})


def _ours(parameters: list[Parameter]) -> dict[str, Any]:
    """The values of the node's own parameters; one that is unset has its default."""
    return {one.name: SPECS[one.name].default if one.value is None else one.value
            for one in parameters if one.name in SPECS}


def _describe(spec: Spec) -> ParameterDescriptor:
    when = "Can be changed while running." if spec.live else "Read when the node is configured."
    return spec.descriptor(description=f"{spec.description} {when}")
