"""The lines this workload writes: one JSON object each, on stdout, and the digests they carry. Needs numpy only."""

import hashlib
import json
from typing import TextIO

import numpy as np

SCHEMA = 1


class RecordWriter:
    """Writes records as whole lines and stamps each with the precision it belongs to."""

    def __init__(self, stream: TextIO, precision: str):
        self._stream, self._precision = stream, precision

    def write(self, kind: str, **fields: object) -> None:
        """Writes one record. Numbers are written so that reading them back gives the same bits; NaN is refused."""
        self._stream.write(line({"record": kind, "precision": self._precision, **fields}))
        self._stream.flush()


def line(record: dict) -> str:
    """One record as a line of JSON."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def tensor_digest(tensor: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and little-endian bytes in row-major order."""
    little = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
    header = f"{tensor.dtype.name} {list(tensor.shape)}\n"
    return "sha256:" + hashlib.sha256(header.encode() + little.tobytes()).hexdigest()


def digests(tensors: dict[str, np.ndarray]) -> dict[str, object]:
    """The digest of each named array, and one over all of them, whatever their order."""
    each = {name: tensor_digest(tensor) for name, tensor in sorted(tensors.items())}
    listing = "".join(f"{digest} {name}\n" for name, digest in each.items())
    return {"digest": "sha256:" + hashlib.sha256(listing.encode()).hexdigest(), "tensors": each}
