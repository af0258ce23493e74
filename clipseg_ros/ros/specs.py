# SPDX-License-Identifier: Apache-2.0
"""How a node's parameter is described, limited and declared."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterUninitializedException
from rclpy.node import Node


@dataclass(frozen=True)
class Spec:
    """One parameter.

    Attributes
    ----------
    live : whether it can change at any time; when another one can is the node's business
    range : least and largest of a number
    words : all that a text can be, if that is limited
    check : raises ValueError, with a sentence, for a value that cannot be used
    """

    default: Any
    description: str
    live: bool = False
    range: tuple[float, float] | None = None
    words: tuple[str, ...] = ()
    check: Callable[[Any], None] | None = None

    def descriptor(self, **fields: Any) -> ParameterDescriptor:
        """The message about it, with more of its `fields`."""
        limits: dict[str, Any] = {}
        if self.range and isinstance(self.default, float):
            limits["floating_point_range"] = [FloatingPointRange(from_value=self.range[0], to_value=self.range[1])]
        elif self.range:
            limits["integer_range"] = [IntegerRange(from_value=self.range[0], to_value=self.range[1], step=1)]
        return ParameterDescriptor(**{"description": self.description, "additional_constraints": " | ".join(self.words),
                                      **limits, **fields})

    def refuse(self, name: str, value: Any) -> None:
        """Raise ValueError, with a sentence, for a value of the parameter `name` that cannot be used."""
        if self.words and value not in self.words:
            raise ValueError(f"the parameter {name} is {value!r}; it must be one of "
                             f"{', '.join(filter(None, self.words))}")
        try:
            if self.check is not None:
                self.check(value)
        except ValueError as error:
            raise ValueError(f"the parameter {name} cannot be set: {error}") from None


def declare(node: Node, specs: Mapping[str, Spec], describe: Callable[[Spec], ParameterDescriptor]) -> dict[str, Any]:
    """Declare the parameters and return their values; those that were given without one have their default.

    Raises ValueError or rclpy.exceptions.ParameterException if the node was started with a bad value.
    """
    values = {}
    for name, spec in specs.items():
        node.declare_parameter(name, spec.default, describe(spec))
        try:
            values[name] = node.get_parameter(name).value
        except ParameterUninitializedException:
            values[name] = spec.default
        spec.refuse(name, values[name])
    return values
