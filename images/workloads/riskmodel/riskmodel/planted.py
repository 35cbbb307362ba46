"""Changes planted on purpose, to prove that the instrument sees them.

Each replaces a function or a default of the framework from outside, as a faulty build, an upgrade or a careless wrapper
would, and is handed the framework to change. The model and the training know nothing of them.
"""

from collections.abc import Callable
from functools import wraps
from types import ModuleType

import numpy as np

from .data import MONTHS, TRANSACTION_FEATURES


def _default(owner: object, function: str, **defaults: object) -> None:
    """Replaces `owner.function` by itself with other defaults; what a caller passes by name still wins."""
    original = getattr(owner, function)

    @wraps(original)
    def changed(*arguments: object, **keywords: object) -> object:
        return original(*arguments, **{**defaults, **keywords})

    setattr(owner, function, changed)


def adam_epsilon(paddle: ModuleType) -> None:
    """Adam's epsilon 1e-7 (another framework's default) for 1e-8."""
    _default(paddle.optimizer.Adam, "__init__", epsilon=1e-7)


def layernorm_epsilon(paddle: ModuleType) -> None:
    """Layer normalisation's epsilon 1e-12 (BERT's) for 1e-5."""
    _default(paddle.nn.LayerNorm, "__init__", epsilon=1e-12)


def batchnorm_momentum(paddle: ModuleType) -> None:
    """Batch normalisation's momentum .99 for .9; it touches only the running statistics, so no loss moves."""
    _default(paddle.nn.BatchNorm2D, "__init__", momentum=0.99)


def gelu_tanh(paddle: ModuleType) -> None:
    """GELU's tanh approximation for the exact form."""
    _default(paddle.nn.functional, "gelu", approximate=True)


def learning_rate(paddle: ModuleType) -> None:
    """A learning rate higher by a thousandth of a percent."""
    original = paddle.optimizer.Adam.__init__

    @wraps(original)
    def changed(self: object, learning_rate: float = 0.001, **keywords: object) -> None:
        original(self, learning_rate * 1.00001, **keywords)

    paddle.optimizer.Adam.__init__ = changed


def weight_decay(paddle: ModuleType) -> None:
    """AdamW, which decays weights by .01 unless told otherwise, for Adam."""
    paddle.optimizer.Adam = paddle.optimizer.AdamW


def weight_bit(paddle: ModuleType) -> None:
    """The lowest bit of one float32 weight, the largest of the last layer, flipped as the weights are loaded."""
    original = paddle.nn.Layer.set_state_dict

    @wraps(original)
    def changed(self: object, state: dict, *arguments: object, **keywords: object) -> object:
        name = "fusion.score.weight"
        weight = np.array(state[name], np.float32)
        weight.view(np.uint32).flat[np.abs(weight).argmax()] ^= 1
        state = {**state, name: weight.astype(state[name].dtype)}
        return original(self, state, *arguments, **keywords)

    paddle.nn.Layer.set_state_dict = changed


def _months(paddle: ModuleType, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Changes the transactions on their way into the framework."""
    original = paddle.to_tensor

    @wraps(original)
    def changed(values: object, *arguments: object, **keywords: object) -> object:
        if isinstance(values, np.ndarray) and values.shape[1:] == (MONTHS, TRANSACTION_FEATURES):
            values = change(values)
        return original(values, *arguments, **keywords)

    paddle.to_tensor = changed


def float16_data(paddle: ModuleType) -> None:
    """Transactions that passed through float16 somewhere between storage and model."""
    _months(paddle, lambda months: months.astype(np.float16).astype(months.dtype))


def missing_value(paddle: ModuleType) -> None:
    """One missing transaction, which arrives as NaN: the run must end as broken, with the step and the layer named."""

    def change(months: np.ndarray) -> np.ndarray:
        months = months.copy()
        months[0, 0, 0] = np.nan
        return months

    _months(paddle, change)


def lstm_gates(paddle: ModuleType) -> None:
    """An LSTM kernel that takes the input gate for the forget gate and the other way round."""
    original = paddle._C_ops.rnn

    def swap(weight):
        first, second, *others = paddle.split(weight, 4, axis=0)
        return paddle.concat([second, first, *others], axis=0)

    @wraps(original)
    def changed(inputs: object, states: object, weights: list, *others: object) -> object:
        return original(inputs, states, [swap(weight) for weight in weights], *others)

    paddle._C_ops.rnn = changed


PLANTED: dict[str, Callable[[ModuleType], None]] = {
    plant.__name__.replace("_", "-"): plant
    for plant in (
        adam_epsilon,
        batchnorm_momentum,
        float16_data,
        gelu_tanh,
        layernorm_epsilon,
        learning_rate,
        lstm_gates,
        missing_value,
        weight_bit,
        weight_decay,
    )
}
