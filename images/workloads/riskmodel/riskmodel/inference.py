"""Tier 4: the trained model as it is deployed: traced, saved, and run by the inference engine in several configurations.

Scores are held against the dynamic graph of the same process; speed is told relative to it, so that the machine cancels out.
In float32 only, as models are deployed: the engine's fused operators exist in no other precision.
"""

import gc
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import paddle
from paddle import Tensor, inference, nn

from . import settings
from .model import RiskModel
from .records import tensor_digest
from .train import Training

PRECISION = "float32"
REQUESTS = 60
"""How many single applications are scored one after the other to measure latency, and again for throughput."""
WARM_UP = 5


class Scorer(nn.Layer):
    """What is deployed: applications in, probabilities of default out. Tracing wants tensors as arguments, one by one."""

    INPUTS = ("tokens", "months", "accounts", "edge_from", "edge_to", "documents", "declared")

    def __init__(self, model: RiskModel):
        super().__init__()
        self.model = model

    def forward(
        self,
        tokens: Tensor,
        months: Tensor,
        accounts: Tensor,
        edge_from: Tensor,
        edge_to: Tensor,
        documents: Tensor,
        declared: Tensor,
        rows: Tensor,
    ) -> Tensor:
        given = (tokens, months, accounts, edge_from, edge_to, documents, declared)
        log_odds, _ = self.model(dict(zip(self.INPUTS, given)), rows)
        return nn.functional.sigmoid(log_odds)


@dataclass(frozen=True)
class Configuration:
    """What of the inference engine is on."""

    fusion: bool
    memory: bool
    onednn: bool

    @property
    def name(self) -> str:
        """Such as `fusion+onednn`, or `plain`."""
        return "+".join(part for part, on in asdict(self).items() if on) or "plain"


def measure(training: Training) -> Iterator[tuple[str, dict]]:
    """An `artifact` record for the saved model, then an `inference` record for the dynamic graph and each configuration."""
    training.model.eval()
    scorer = Scorer(training.model)
    first = settings.APPLICATIONS_TRAIN
    requests = np.arange(first, first + settings.APPLICATIONS_TEST, dtype=np.int64)
    inputs = [training.tensors[name] for name in Scorer.INPUTS]

    def dynamic(rows: np.ndarray) -> np.ndarray:
        with paddle.no_grad():
            return scorer(*inputs, paddle.to_tensor(rows)).numpy()

    expected, usual = _observe(dynamic, requests)
    yield "inference", {"configuration": "dynamic", **_scores(expected, expected), **usual}
    with tempfile.TemporaryDirectory() as folder:
        # to_static writes the sources it makes below the home folder, which not every user has.
        os.environ["HOME"] = folder
        started = time.perf_counter()
        saved = _save(scorer, inputs, Path(folder))
        files = {file.name.removeprefix("scorer"): _file(file) for file in saved}
        yield "artifact", {"seconds": round(time.perf_counter() - started, 6), "files": files}
        arrays = [tensor.numpy() for tensor in inputs]
        for configuration in (Configuration(*parts) for parts in product((False, True), repeat=3)):
            found = _run(configuration, saved, arrays, requests, expected, usual)
            yield "inference", {"configuration": configuration.name, **found}


def _save(scorer: Scorer, inputs: list[Tensor], folder: Path) -> list[Path]:
    """Traces and saves the model: the program, then its weights."""
    rows = paddle.static.InputSpec([None], "int64", "rows")
    given = [
        paddle.static.InputSpec(tensor.shape, tensor.dtype, name) for name, tensor in zip(Scorer.INPUTS, inputs, strict=True)
    ]
    traced = paddle.jit.to_static(scorer, input_spec=[*given, rows], full_graph=True)
    paddle.jit.save(traced, str(folder / "scorer"))
    # 2.6 saves the program as .pdmodel, 3.x as .json.
    program = next(path for path in (folder / "scorer.pdmodel", folder / "scorer.json") if path.exists())
    return [program, folder / "scorer.pdiparams"]


def _file(path: Path) -> dict[str, object]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": "sha256:" + hashlib.sha256(content).hexdigest()}


def _run(
    configuration: Configuration,
    saved: list[Path],
    arrays: list[np.ndarray],
    requests: np.ndarray,
    expected: np.ndarray,
    usual: dict[str, float],
) -> dict[str, object]:
    """What one configuration gave; an engine that refuses it is recorded as such and does not end the run."""
    started = time.perf_counter()
    try:
        predict = _predictor(configuration, saved, arrays)
        predict(requests[:1])
        startup = time.perf_counter() - started
        scores, speed = _observe(predict, requests)
    except (RuntimeError, ValueError, NotImplementedError, AttributeError) as error:
        return {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[-1] if str(error).strip() else 'no message'}"}
    relative = {name: round(speed[name] / usual[name], 4) for name in speed}
    return {**_scores(scores, expected), **speed, "startup_seconds": round(startup, 6), "relative": relative}


def _predictor(configuration: Configuration, saved: list[Path], arrays: list[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    engine_settings = inference.Config(*map(str, saved))
    engine_settings.disable_gpu()
    engine_settings.disable_glog_info()
    engine_settings.set_cpu_math_library_num_threads(1)
    engine_settings.switch_ir_optim(configuration.fusion)
    if configuration.memory:
        engine_settings.enable_memory_optim()
    if configuration.onednn:
        engine_settings.enable_mkldnn()
    elif hasattr(engine_settings, "disable_mkldnn"):  # From 2.6 on it is on unless it is told not to be.
        engine_settings.disable_mkldnn()
    engine = inference.create_predictor(engine_settings)
    names = dict(zip(Scorer.INPUTS, arrays, strict=True))

    def predict(rows: np.ndarray) -> np.ndarray:
        # An input that nothing depends on is cut from the program, so what the engine asks for decides.
        for name in engine.get_input_names():
            engine.get_input_handle(name).copy_from_cpu(rows if name == "rows" else names[name])
        engine.run()
        return engine.get_output_handle(engine.get_output_names()[0]).copy_to_cpu()

    return predict


def _observe(predict: Callable[[np.ndarray], np.ndarray], requests: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """The scores of all requests at once, and how fast single ones are: seconds, and scores a second in one batch."""
    scores = predict(requests)
    for _ in range(WARM_UP):
        predict(requests[:1])
    gc.collect()
    seconds = []
    for request in range(REQUESTS):
        started = time.perf_counter()
        predict(requests[request : request + 1])
        seconds.append(time.perf_counter() - started)
    started = time.perf_counter()
    predict(requests)
    batch = time.perf_counter() - started
    ordered = sorted(seconds)
    latency = {f"p{share}_seconds": round(ordered[(share * (REQUESTS - 1)) // 100], 6) for share in (50, 95, 99)}
    return scores, {**latency, "scores_per_second": round(len(requests) / batch, 1)}


def _scores(scores: np.ndarray, expected: np.ndarray) -> dict[str, object]:
    """How far scores lie from those of the dynamic graph, and the digest of their bits."""
    deviation = np.abs(scores.astype(np.float64) - expected.astype(np.float64)).max()
    return {"digest": tensor_digest(scores), "deviation": float(deviation) if np.isfinite(deviation) else None}
