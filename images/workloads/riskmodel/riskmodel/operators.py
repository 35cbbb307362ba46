"""Tier 1: every operator the model uses, one at a time, on fixed inputs, against a wider evaluation of the same inputs.

A drift that only shows as a changed loss after many steps has a first operator; here it stands alone. Layers are made with
the framework's defaults, as the model makes them.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import paddle
import paddle.nn.functional as F

from . import reference
from .ulp import WIDE, profile

EPSILON = float(np.float32(1e-5))
"""The default of both norms; their kernels take it as a float32 whatever they compute in, as they take the momentum."""


class Result(NamedTuple):
    """One operator's result beside the exact one."""

    operator: str
    actual: paddle.Tensor
    exact: np.ndarray
    cancels: bool = True
    """Whether it is a sum whose terms may cancel, so that small results are measured by the usual size."""


Case = Callable[["Inputs"], Iterator[Result]]


class Inputs:
    """Numbers that are the same on every machine: uniform ones, as a logarithm is involved in normal ones."""

    def __init__(self, seed: int, precision: str):
        self._random, self.precision = np.random.RandomState(seed), precision

    def uniform(self, *shape: int, scale: float = 1) -> np.ndarray:
        """Between -`scale` and `scale`, with all the digits the precision at hand has."""
        return ((self._random.random_sample(shape) * 2 - 1) * scale).astype(self.precision)

    def indices(self, *shape: int, below: int) -> np.ndarray:
        """Whole numbers from 0."""
        return self._random.randint(0, below, size=shape).astype(np.int64)


def measure(precision: str) -> Iterator[dict[str, object]]:
    """The error profile of each operator at this precision: the fields of an `operator` record."""
    for seed, case in enumerate(CASES):
        with paddle.no_grad():
            for result in case(Inputs(seed, precision)):
                yield {"operator": result.operator, **profile(result.actual.numpy(), result.exact, result.cancels)}


def _wide(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(array.astype(WIDE) for array in arrays)


def _matmul(inputs: Inputs) -> Iterator[Result]:
    # The projection of a transformer block, the widest layer of the fusion, and one that fills a BLAS kernel.
    for rows, depth, columns in ((64, 32, 96), (64, 129, 64), (96, 192, 96)):
        a, b = inputs.uniform(rows, depth), inputs.uniform(depth, columns)
        wide_a, wide_b = _wide(a, b)
        product = paddle.matmul(paddle.to_tensor(a), paddle.to_tensor(b))
        yield Result(f"matmul {rows}x{depth}x{columns}", product, wide_a @ wide_b)


def _attention_scores(inputs: Inputs) -> Iterator[Result]:
    query, key = inputs.uniform(8, 4, 15, 8), inputs.uniform(8, 4, 15, 8)
    wide_query, wide_key = _wide(query, key)
    scores = paddle.matmul(paddle.to_tensor(query), paddle.to_tensor(key), transpose_y=True)
    yield Result("matmul batched", scores, wide_query @ wide_key.swapaxes(-1, -2))


def _conv2d(inputs: Inputs) -> Iterator[Result]:
    images, kernels = inputs.uniform(2, 12, 8, 32), inputs.uniform(24, 12, 3, 3)
    found = F.conv2d(paddle.to_tensor(images), paddle.to_tensor(kernels), padding=1)
    yield Result("conv2d", found, reference.convolve(*_wide(images, kernels)))


def _lstm(inputs: Inputs) -> Iterator[Result]:
    width, features = 32, 5
    layer = paddle.nn.LSTM(features, width)
    weights = [inputs.uniform(4 * width, n, scale=0.25) for n in (features, width)]
    biases = [inputs.uniform(4 * width, scale=0.25) for _ in range(2)]
    for parameter, values in zip(layer.parameters(), weights + biases, strict=True):
        parameter.set_value(values)
    sequence = inputs.uniform(8, 16, features)
    states, _ = layer(paddle.to_tensor(sequence))
    wide_sequence, of_inputs, of_states, one, other = _wide(sequence, *weights, *biases)
    yield Result("lstm", states, reference.lstm(wide_sequence, of_inputs, of_states, one + other))


def _elementwise(inputs: Inputs) -> Iterator[Result]:
    for name, function, exact, reach, cancels in (
        ("exp", paddle.exp, np.exp, 16, False),
        ("tanh", paddle.tanh, np.tanh, 4, False),
        ("sigmoid", F.sigmoid, reference.sigmoid, 8, False),
        ("silu", F.silu, reference.silu, 8, False),
        ("gelu", F.gelu, reference.gelu, 4, True),
    ):
        x = inputs.uniform(4096, scale=reach)
        yield Result(name, function(paddle.to_tensor(x)), exact(x.astype(WIDE)), cancels)


def _softmax(inputs: Inputs) -> Iterator[Result]:
    x = inputs.uniform(128, 24, scale=8)
    yield Result("softmax", F.softmax(paddle.to_tensor(x), axis=-1), reference.softmax(x.astype(WIDE)), cancels=False)


def _layer_norm(inputs: Inputs) -> Iterator[Result]:
    # Narrow rows: the epsilon of the layer must count.
    x = inputs.uniform(128, 32, scale=0.125)
    exact, _, _ = reference.normalise(x.astype(WIDE), (1,), EPSILON)
    yield Result("layer_norm", paddle.nn.LayerNorm(32)(paddle.to_tensor(x)), exact)


def _batch_norm(inputs: Inputs) -> Iterator[Result]:
    x = inputs.uniform(8, 12, 8, 16, scale=0.125)
    layer = paddle.nn.BatchNorm2D(12)
    layer.train()
    found = layer(paddle.to_tensor(x))
    exact, mean, variance = reference.normalise(x.astype(WIDE), (0, 2, 3), EPSILON)
    yield Result("batch_norm", found, exact)
    # Running statistics start at 0 and 1, and keep a share of .9 of what they were.
    kept = WIDE(np.float32(0.9))
    taken = 1 - kept
    yield Result("batch_norm running mean", layer._mean, taken * mean.reshape(-1))
    yield Result("batch_norm running variance", layer._variance, kept + taken * variance.reshape(-1))


def _embedding(inputs: Inputs) -> Iterator[Result]:
    table, tokens = inputs.uniform(48, 32), inputs.indices(64, 15, below=48)
    weight = paddle.to_tensor(table, stop_gradient=False)
    above = inputs.uniform(64, 15, 32)
    with paddle.enable_grad():
        found = F.embedding(paddle.to_tensor(tokens), weight)
        (found * paddle.to_tensor(above)).sum().backward()
    yield Result("embedding", found, table.astype(WIDE)[tokens])
    gradient = np.zeros(table.shape, WIDE)
    np.add.at(gradient, tokens, above.astype(WIDE))
    yield Result("embedding gradient", weight.grad, gradient)


def _graph(inputs: Inputs) -> Iterator[Result]:
    accounts, edges = inputs.uniform(64, 32), inputs.indices(2, 512, below=64)
    edge_from, edge_to = map(paddle.to_tensor, edges)
    found = paddle.geometric.send_u_recv(paddle.to_tensor(accounts), edge_from, edge_to, reduce_op="mean")
    yield Result("send_u_recv", found, reference.mean_of_neighbours(accounts.astype(WIDE), *edges))


def _scatter(inputs: Inputs) -> Iterator[Result]:
    base, rows, added = inputs.uniform(64, 32), inputs.indices(256, below=64), inputs.uniform(256, 32)
    found = paddle.scatter_nd_add(paddle.to_tensor(base), paddle.to_tensor(rows[:, None]), paddle.to_tensor(added))
    exact = base.astype(WIDE)
    np.add.at(exact, rows, added.astype(WIDE))
    yield Result("scatter", found, exact)


def _losses(inputs: Inputs) -> Iterator[Result]:
    logits, labels = inputs.uniform(32, 64, 11, scale=4), 1 + inputs.indices(64, 6, below=10)
    lengths = [paddle.full([64], length, "int64") for length in (32, 6)]
    arguments = paddle.to_tensor(logits), paddle.to_tensor(labels.astype(np.int32)), *lengths
    yield Result("ctc_loss", F.ctc_loss(*arguments, reduction="none").flatten(), reference.ctc_loss(logits.astype(WIDE), labels))
    log_odds, outcomes = inputs.uniform(1024, scale=8), inputs.indices(1024, below=2)
    wide = log_odds.astype(WIDE), outcomes.astype(WIDE)
    found = F.binary_cross_entropy_with_logits(
        paddle.to_tensor(log_odds), paddle.to_tensor(outcomes.astype(log_odds.dtype)), reduction="none"
    )
    yield Result("binary_cross_entropy", found, reference.binary_cross_entropy(*wide))


def _subnormal(inputs: Inputs) -> Iterator[Result]:
    # Below the smallest normal number, made without arithmetic: what takes these for zero (FTZ, DAZ) shows in nothing else here.
    bits = {"float32": np.uint32, "float64": np.uint64}[inputs.precision]
    x = inputs.indices(1024, below=1 << 20).astype(bits).view(inputs.precision)
    found = paddle.scale(paddle.to_tensor(x), 2.0)
    yield Result("scale subnormal", found, 2 * x.astype(WIDE), cancels=False)


def _adam(inputs: Inputs) -> Iterator[Result]:
    # From zero, so that nothing hides the steps; small gradients, so that epsilon counts; a rate that is exact in binary.
    rate, gradients = 2.0**-8, [inputs.uniform(2048, scale=2.0**-10) for _ in range(3)]
    weight = paddle.to_tensor(np.zeros_like(gradients[0]), stop_gradient=False)
    optimizer = paddle.optimizer.Adam(rate, parameters=[weight])
    with paddle.enable_grad():
        for gradient in gradients:
            (weight * paddle.to_tensor(gradient)).sum().backward()
            optimizer.step()
            optimizer.clear_grad()
    yield Result("adam", weight.detach(), reference.adam(_wide(*gradients), rate, 0.9, 0.999, 1e-8))


CASES: tuple[Case, ...] = (
    _matmul,
    _attention_scores,
    _conv2d,
    _lstm,
    _elementwise,
    _softmax,
    _layer_norm,
    _batch_norm,
    _embedding,
    _graph,
    _scatter,
    _losses,
    _adam,
    _subnormal,
)
