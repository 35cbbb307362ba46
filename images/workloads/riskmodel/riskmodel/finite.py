"""Finds where the first NaN or infinity of a step came from. Does not load the framework."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from paddle import Tensor, nn


class NonFinite(Exception):
    """A value that is no number: in which step, and which operator it came from."""

    def __init__(self, step: int, operator: str, value: float):
        super().__init__(f"the first value that is no number: {value}")
        self.step, self.operator = step, operator


class LayerTrace:
    """The outputs of a model's layers since the last `clear`, in the order in which they were computed."""

    def __init__(self, model: nn.Layer):
        self._outputs: list[tuple[str, Tensor]] = []
        for name, layer in model.named_sublayers():
            layer.register_forward_post_hook(self._recorder(f"{name} ({type(layer).__name__})"))

    def _recorder(self, name: str) -> Callable:
        def record(layer: nn.Layer, inputs: tuple, output: Tensor | tuple) -> None:
            # Of several outputs the first is enough: the others come from it or go with it.
            first = output[0] if isinstance(output, (tuple, list)) else output
            self._outputs.append((name, first))

        return record

    def clear(self) -> None:
        """Forgets the outputs of the step before."""
        self._outputs.clear()

    def first_non_finite(self) -> str | None:
        """The earliest layer whose output holds a NaN or an infinity."""
        for name, output in self._outputs:
            if not np.isfinite(output.numpy()).all():
                return name
        return None


def require_finite(step: int, trace: LayerTrace, values: dict[str, float]) -> None:
    """Raises `NonFinite` if a value is no number, naming the first layer at fault, or else the value itself."""
    for name, value in values.items():
        if not isfinite(value):
            raise NonFinite(step, trace.first_non_finite() or name, value)
