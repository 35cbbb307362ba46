"""The random choices of a training: initial weights, dropout masks and batch order. Needs numpy only.

They come from numpy's frozen legacy generator and never from the framework's, and each leaves a digest: where these
digests agree, two environments were asked to compute the very same thing.
"""

import hashlib
from math import prod

import numpy as np

from .data import on_grid


def initial_weights(seed: int, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Weights by parameter name, float32: scaled normal matrices, zero biases, and ones for the scale of a norm."""
    random = np.random.RandomState(seed)
    return {name: _initial(random, name, shape) for name, shape in shapes.items()}


def _initial(random: np.random.RandomState, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 1:
        return np.full(shape, 1 if name.endswith("norm.weight") else 0, np.float32)
    # A linear layer keeps its inputs first [in, out]; a convolution [out, in, h, w] and an LSTM [4 out, in] last.
    inputs_last = len(shape) == 4 or ".lstm." in name
    inputs = prod(shape[1:]) if inputs_last else shape[0]
    gain = 2 if len(shape) == 4 else 1
    return on_grid(random.standard_normal(shape) * np.sqrt(gain / inputs))


class MaskStream:
    """Dropout masks, in the order in which the layers ask for them."""

    def __init__(self, seed: int, rate: float):
        self.rate = rate
        self._random = np.random.RandomState(seed)
        self._hash = hashlib.sha256()

    def draw(self, shape: list[int]) -> np.ndarray:
        """Which elements to keep: a boolean array of this shape, true with probability 1 - rate."""
        kept = self._random.random_sample(shape) >= self.rate
        self._hash.update(np.packbits(kept).tobytes())
        return kept

    @property
    def digest(self) -> str:
        """Digest of every mask drawn so far."""
        return "sha256:" + self._hash.hexdigest()


class BatchOrder:
    """Batches of indices into the training applications, shuffled anew each epoch."""

    def __init__(self, seed: int, applications: int, batch_size: int):
        self._applications, self._batch_size = applications, batch_size
        self._random = np.random.RandomState(seed)
        self._hash = hashlib.sha256()
        self._left = np.array([], np.int64)

    def draw(self) -> np.ndarray:
        """The next batch: [batch_size] int64."""
        if len(self._left) < self._batch_size:
            self._left = self._random.permutation(self._applications).astype(np.int64)
        batch, self._left = np.split(self._left, [self._batch_size])
        self._hash.update(batch.tobytes())
        return batch

    @property
    def digest(self) -> str:
        """Digest of every batch drawn so far."""
        return "sha256:" + self._hash.hexdigest()
