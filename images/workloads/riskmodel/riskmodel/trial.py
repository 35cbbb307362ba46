"""One precision, in a process of its own: `python3 -m riskmodel.trial ORDER`, the order being a JSON object.

Started by `supervise`. Its stdout carries records and nothing else.
"""

import zlib  # noqa: F401  must be loaded before paddle 2.6, which exports zlib functions of its own

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import TextIO

from . import __version__, environment, settings
from .data import generate
from .finite import NonFinite
from .planted import PLANTED
from .records import SCHEMA, RecordWriter, digests


def main(order: dict) -> int:
    """Trains as ordered; every outcome, also a failure, ends in a record. Returns the exit code."""
    writer = RecordWriter(_private_stdout(), order["precision"])
    step = None
    try:
        for kind, fields in _records(order):
            writer.write(kind, **fields)
            step = fields.get("step", step or 0)
    except Exception as error:
        traceback.print_exc()
        writer.write("error", **_failure(error, step, settings.PROFILES[order["profile"]]))
        return 1
    return 0


def _private_stdout() -> TextIO:
    """Keeps stdout for the records, and sends whatever else is printed, also from C, to stderr."""
    records = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return records


def _records(order: dict) -> Iterator[tuple[str, dict]]:
    """The run record, then those of the operators, the training and the inference, and the end, each as kind and fields."""
    started = time.perf_counter()
    # Imported here, so that a framework that does not even load ends in an error record too.
    import paddle

    from . import inference, operators
    from .train import Training

    for name in order["planted"]:
        PLANTED[name](paddle)
    paddle.set_device("cpu")
    profile = settings.PROFILES[order["profile"]]
    applications = generate(order["seeds"]["data"], settings.APPLICATIONS_TRAIN + settings.APPLICATIONS_TEST)
    training = Training(applications, order["precision"], order["seeds"])
    training.warm_up()
    described = environment.describe(order["cleared"], order["installed"], order["hashed"])
    yield "run", {
        "schema": SCHEMA,
        "workload": "riskmodel",
        "version": __version__,
        "profile": order["profile"],
        "steps": profile.steps,
        "seeds": order["seeds"],
        "parameters": sum(prod(weight.shape) for _, weight in training.trained()),
        "data": digests(applications.tensors()),
        "weights": digests(training.weights()),
        "hyperparameters": training.hyperparameters(),
        "environment": {**described, "switches": environment.switches(paddle)},
        "planted": order["planted"],
    }
    for fields in operators.measure(order["precision"]):
        yield "operator", fields
    yield from training.run(profile)
    if profile.inference and order["precision"] == inference.PRECISION:
        yield from inference.measure(training)
    yield "end", {
        "seconds": round(time.perf_counter() - started, 6),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        # What was mapped since the header was written.
        **environment.libraries(order["hashed"], known=described["libraries"]),
    }


def _failure(error: Exception, done: int | None, profile: settings.Profile) -> dict[str, object]:
    """An error record's fields; `done` is the last complete step, or None if training had not begun.

    What fails after the last step failed in no step.
    """
    if isinstance(error, NonFinite):
        return {"step": error.step, "operator": error.operator, "message": str(error)}
    step = None if done is None or done == profile.steps else done + 1
    return {"step": step, "operator": _innermost(error), "message": f"{type(error).__name__}: {error}"}


def _innermost(error: Exception) -> str | None:
    """The function of this package in which the error arose."""
    package = Path(__file__).parent
    frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = [code.co_qualname for code in frames if Path(code.co_filename).parent == package]
    return own[-1] if own else None


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
