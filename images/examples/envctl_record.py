"""Tells envctl what a training does, one JSON object a line on standard output.

Copy this file beside your code; it needs Python 3.8 and nothing else. What the lines mean is in README.md beside it.
Everything else your program prints is its log and stays as it is.
"""

import hashlib
import json
import os
import sys
import threading

_lock = threading.Lock()
_variables = ("CUDA_", "CUBLAS_", "DNNL_", "FLAGS_", "KMP_", "LD_", "MKL_", "NVIDIA_", "OMP_", "ONEDNN_", "OPENBLAS_", "TORCH_")


def step(number, loss=None, **values):
    """One optimizer step: its number from 1, its loss, and whatever else is a number."""
    if loss is not None:
        values = {"loss": loss, **values}
    _write({"step": int(number), **{name: _number(value) for name, value in values.items()}})


def steps(total):
    """How many steps are to come: for progress."""
    _write({"steps": int(total)})


def metric(name, value, step=None):
    """A result, such as the area under the ROC curve."""
    _write({"metric": name, "value": _number(value), **_at(step)})


def scores(name, values, step=None):
    """One number for each of the same things in every run, such as the test set's probabilities."""
    _write({"scores": name, "values": [_number(value) for value in _flat(values)], **_at(step)})


def tensor(name, value, step=None, input=False):
    """The digest of a tensor, an array or a dictionary of them. What is an input (data, first weights) must agree in every bit."""
    _write({"tensor": name, "sha256": digest(value), **({"input": True} if input else {}), **_at(step)})


def hyperparameters(**values):
    """What was chosen. It is not judged; it explains a drift."""
    _write({"hyperparameters": values})


def environment():
    """What the program runs on: Python, installed packages, and the variables that choose kernels, threads or libraries."""
    from importlib import metadata

    packages = {package.metadata["Name"]: package.version for package in metadata.distributions() if package.metadata["Name"]}
    variables = {name: value for name, value in os.environ.items() if name.startswith(_variables)}
    python = "%d.%d.%d" % sys.version_info[:3]
    _write({"environment": {"python": python, "packages": packages, "variables": variables}})


def digest(value):
    """SHA-256 over type, shape and bytes; of a dictionary, over its names in order and the digest of each."""
    sha256 = hashlib.sha256()
    if isinstance(value, dict):
        for name in sorted(value):
            sha256.update(("%s %s\n" % (name, digest(value[name]))).encode())
        return sha256.hexdigest()
    array = _array(value)
    if isinstance(array, (bytes, bytearray)):
        sha256.update(array)
    else:
        sha256.update(("%s %s\n" % (array.dtype.str, list(array.shape))).encode())
        sha256.update(array.tobytes())
    return sha256.hexdigest()


def _array(value):
    # PyTorch's tensors know detach and cpu, Paddle's and both know numpy.
    for method in ("detach", "cpu", "numpy"):
        if hasattr(value, method):
            value = getattr(value, method)()
    return value


def _flat(values):
    values = _array(values)
    return values.ravel().tolist() if hasattr(values, "ravel") else list(values)


def _number(value):
    # A tensor of one element gives it up by item(). NaN is written as NaN: envctl then says where it first appeared.
    return float(value.item() if hasattr(value, "item") else value)


def _at(step):
    return {} if step is None else {"step": int(step)}


def _write(record):
    line = json.dumps(record, ensure_ascii=False) + "\n"
    with _lock:
        sys.stdout.write(line)
        sys.stdout.flush()
