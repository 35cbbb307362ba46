"""The operators of the model as textbooks define them, in numpy and wider than float64. Shares no code with the framework.

Arguments and results are `WIDE` arrays. Clarity counts here, not speed; sums run in numpy's own loops, not in a BLAS.
"""

import numpy as np

from .ulp import WIDE

HALF, ONE, TWO = WIDE(0.5), WIDE(1), WIDE(2)
PI = WIDE("3.14159265358979323846264338327950288")


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x)."""
    return ONE / (ONE + np.exp(-x))


def silu(x: np.ndarray) -> np.ndarray:
    """x · sigmoid(x)."""
    return x * sigmoid(x)


def gelu(x: np.ndarray) -> np.ndarray:
    """x · Φ(x), Φ being the standard normal distribution; Φ(x) = erfc(-x / √2) / 2 keeps its digits where x is very negative."""
    return x * HALF * erfc(-x / np.sqrt(TWO))


def erfc(x: np.ndarray) -> np.ndarray:
    """The complementary error function: a series near 0, a continued fraction elsewhere (DLMF 7.6.2 and 7.9.2)."""
    size = np.abs(x)
    near = np.minimum(size, ONE)
    far = np.maximum(size, ONE)
    upper = np.where(size < 1, ONE - _erf_series(near), _erfc_fraction(far))
    return np.where(x < 0, TWO - upper, upper)


def _erf_series(x: np.ndarray) -> np.ndarray:
    """2/√π e^(-x²) Σ 2^n x^(2n+1) / (2n+1)!!: all terms are positive, so nothing cancels. For 0 ≤ x ≤ 1."""
    term, total = x, x
    for n in range(1, 60):
        term = term * TWO * x * x / WIDE(2 * n + 1)
        total = total + term
    return TWO / np.sqrt(PI) * np.exp(-x * x) * total


def _erfc_fraction(x: np.ndarray) -> np.ndarray:
    """e^(-x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))), from the inside out. For x ≥ 1."""
    tail = x
    for n in range(600, 0, -1):
        tail = x + WIDE(n) / TWO / tail
    return np.exp(-x * x) / np.sqrt(PI) / tail


def softmax(x: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def normalise(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x - mean) / √(variance + epsilon) over these axes; with the mean and the variance, their axes kept."""
    mean = x.mean(axis=axes, keepdims=True)
    variance = np.square(x - mean).mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + WIDE(epsilon)), mean, variance


def convolve(x: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Images [B, in, h, w] with kernels [out, in, 3, 3], padded so that the size stays."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return np.einsum("bihwkl,oikl->bohw", windows, kernels)


def lstm(x: np.ndarray, inputs: np.ndarray, states: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Hidden states [B, T, n] of inputs [B, T, f]; weights [4 n, f] and [4 n, n], gates in the order input, forget, cell, output."""
    width = states.shape[1]
    hidden = cell = np.zeros((len(x), width), WIDE)
    found = []
    for step in range(x.shape[1]):
        gates = x[:, step] @ inputs.T + hidden @ states.T + bias
        enter, forget, candidate, leave = np.split(gates, 4, axis=1)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(candidate)
        hidden = sigmoid(leave) * np.tanh(cell)
        found.append(hidden)
    return np.stack(found, axis=1)


def ctc_loss(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-ln of the probability of reading each row of `labels` [B, n] from logits [T, B, classes], blank 0 (Graves 2006, section 4.1)."""
    logs = np.log(softmax(logits))
    columns, batch = logits.shape[:2]
    path = np.zeros((batch, 2 * labels.shape[1] + 1), np.int64)
    path[:, 1::2] = labels
    # From two places back only onto a digit that differs from the one before it.
    jump = np.zeros_like(path, bool)
    jump[:, 3::2] = path[:, 3::2] != path[:, 1:-2:2]
    never = WIDE(-np.inf)
    forward = np.full(path.shape, never)
    for column in range(columns):
        here = np.take_along_axis(logs[column], path, axis=1)
        if column == 0:
            forward[:, :2] = here[:, :2]
            continue
        one = np.pad(forward, ((0, 0), (1, 0)), constant_values=never)[:, :-1]
        two = np.pad(forward, ((0, 0), (2, 0)), constant_values=never)[:, :-2]
        two = np.where(jump, two, never)
        forward = here + np.logaddexp(np.logaddexp(forward, one), two)
    return -np.logaddexp(forward[:, -1], forward[:, -2])


def binary_cross_entropy(log_odds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-ln of the probability of each label, given the log-odds of 1."""
    return np.maximum(log_odds, 0) - log_odds * labels + np.log1p(np.exp(-np.abs(log_odds)))


def mean_of_neighbours(x: np.ndarray, edge_from: np.ndarray, edge_to: np.ndarray) -> np.ndarray:
    """For each row of `x` [n, f] the mean of the rows with an edge to it; zeros without an edge."""
    total, count = np.zeros_like(x), np.zeros(len(x), WIDE)
    np.add.at(total, edge_to, x[edge_from])
    np.add.at(count, edge_to, ONE)
    return total / np.maximum(count, ONE)[:, None]


def adam(gradients: list[np.ndarray], rate: float, beta1: float, beta2: float, epsilon: float) -> np.ndarray:
    """What weights of zero become after a step with each of the gradients (Kingma and Ba 2015, algorithm 1)."""
    rate, beta1, beta2, epsilon = map(WIDE, (rate, beta1, beta2, epsilon))
    weights = mean = square = np.zeros_like(gradients[0])
    for step, gradient in enumerate(gradients, start=1):
        mean = beta1 * mean + (ONE - beta1) * gradient
        square = beta2 * square + (ONE - beta2) * gradient * gradient
        unbiased_mean = mean / (ONE - beta1**step)
        unbiased_square = square / (ONE - beta2**step)
        weights = weights - rate * unbiased_mean / (np.sqrt(unbiased_square) + epsilon)
    return weights
