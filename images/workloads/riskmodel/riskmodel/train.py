"""Training and evaluation at one precision, step by step, from the data to the records."""

import time
from collections.abc import Iterator

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor

from . import metrics, settings
from .data import DIGITS, Applications
from .draws import BatchOrder, MaskStream, initial_weights
from .finite import LayerTrace, require_finite
from .model import PARTS, DocumentReader, RiskModel
from .records import digests


class Training:
    """A model, its optimizer and its data, ready for the first step; drawn from the seeds alone."""

    def __init__(self, applications: Applications, precision: str, seeds: dict[str, int]):
        paddle.set_default_dtype(precision)
        self.applications = applications
        self.tensors = {
            name: paddle.to_tensor(array.astype(precision) if array.dtype == np.float32 else array)
            for name, array in applications.tensors().items()
        }
        self.masks = MaskStream(seeds["masks"], settings.DROPOUT)
        self.order = BatchOrder(seeds["order"], settings.APPLICATIONS_TRAIN, settings.BATCH_SIZE)
        self.model = RiskModel(self.masks)
        self._set_initial_weights(precision, seeds["weights"])
        self.optimizer = paddle.optimizer.Adam(settings.LEARNING_RATE, parameters=self.model.parameters())
        self.trace = LayerTrace(self.model)

    def _set_initial_weights(self, precision: str, seed: int) -> None:
        shapes = {name: tuple(weight.shape) for name, weight in self.trained()}
        drawn = initial_weights(seed, shapes)
        state = self.model.state_dict()
        self.model.set_state_dict({**state, **{name: weight.astype(precision) for name, weight in drawn.items()}})

    def trained(self) -> Iterator[tuple[str, Tensor]]:
        """The parameters that are trained; Paddle also lists the running statistics of batch normalisation as such."""
        return ((name, weight) for name, weight in self.model.named_parameters() if not weight.stop_gradient)

    def weights(self) -> dict[str, np.ndarray]:
        """The state of the model as the framework holds it now, running statistics included."""
        return {name: weight.numpy() for name, weight in self.model.state_dict().items()}

    def hyperparameters(self) -> dict[str, object]:
        """What is in force, read back from the framework's objects where they tell: a changed default shows here."""
        optimizer, model = self.optimizer, self.model
        layer_norm, batch_norm = model.text.blocks[0].dense_norm, model.document.strokes_norm
        return {
            "optimizer": type(optimizer).__name__,
            "learning_rate": optimizer.get_lr(),
            "beta1": getattr(optimizer, "_beta1", None),
            "beta2": getattr(optimizer, "_beta2", None),
            "epsilon": getattr(optimizer, "_epsilon", None),
            "layer_norm_epsilon": getattr(layer_norm, "_epsilon", None),
            "batch_norm_epsilon": getattr(batch_norm, "_epsilon", None),
            "batch_norm_momentum": getattr(batch_norm, "_momentum", None),
            "batch_size": settings.BATCH_SIZE,
            "ctc_weight": settings.CTC_WEIGHT,
            "dropout": settings.DROPOUT,
        }

    def warm_up(self) -> None:
        """Scores one batch and forgets it, so that libraries which the framework opens on first use are there to be seen."""
        rows = paddle.arange(settings.BATCH_SIZE, dtype="int64")
        self.model.eval()
        with paddle.no_grad():
            _, logits = self.model(self.tensors, rows)
            ctc_loss(logits, paddle.index_select(self.tensors["amounts"], rows))
        self.model.train()

    def run(self, profile: settings.Profile) -> Iterator[tuple[str, dict]]:
        """Trains, and yields each step and evaluation as a kind of record and its fields.

        Raises `finite.NonFinite` at the first value that is no number.
        """
        for step in range(1, profile.steps + 1):
            yield "step", {"step": step, **self._step(step)}
            if step in profile.evaluations:
                yield "evaluation", {"step": step, **self._evaluate(step)}

    def _step(self, step: int) -> dict[str, float]:
        """One batch forward, backward, and one step of the optimizer."""
        started = time.perf_counter()
        self.trace.clear()
        rows = paddle.to_tensor(self.order.draw())
        log_odds, logits = self.model(self.tensors, rows)
        bce = F.binary_cross_entropy_with_logits(log_odds, paddle.index_select(self.tensors["defaulted"], rows))
        ctc = ctc_loss(logits, paddle.index_select(self.tensors["amounts"], rows))
        loss = bce + settings.CTC_WEIGHT * ctc
        named = {"binary_cross_entropy": float(bce), "ctc_loss": float(ctc), "loss": float(loss)}
        require_finite(step, self.trace, named)
        loss.backward()
        norm = self._gradient_norm(step)
        self.optimizer.step()
        self.optimizer.clear_grad()
        return {
            "loss": named["loss"],
            "bce": named["binary_cross_entropy"],
            "ctc": named["ctc_loss"],
            "gradient_norm": norm,
            "seconds": round(time.perf_counter() - started, 6),
        }

    def _gradient_norm(self, step: int) -> float:
        """The Euclidean norm over all gradients, summed in float64."""
        squares = {
            f"gradient of {name}": float(np.square(weight.grad.numpy().astype(np.float64)).sum())
            for name, weight in self.trained()
        }
        require_finite(step, self.trace, squares)
        return float(np.sqrt(sum(squares.values())))

    def _evaluate(self, step: int) -> dict[str, object]:
        """Scores the test applications; draws nothing and changes nothing, so the next step is as without it."""
        first = settings.APPLICATIONS_TRAIN
        test = slice(first, first + settings.APPLICATIONS_TEST)
        labels, written = self.applications.defaulted[test], self.applications.amounts[test]
        self.model.eval()
        self.trace.clear()
        with paddle.no_grad():
            rows = paddle.arange(test.start, test.stop, dtype="int64")
            parts, logits = self.model.parts(self.tensors, rows)
            log_odds = self.model.fusion(parts)
            scores = F.sigmoid(log_odds).numpy()
            require_finite(step, self.trace, {"scores": float(scores.sum())})
            contributions = self._contributions(parts, log_odds.numpy(), scores)
        self.model.train()
        return {
            "auc": metrics.auc(labels, scores),
            "ks": metrics.ks(labels, scores),
            "amounts_exact": metrics.exact(metrics.read_amounts(logits.numpy()), written),
            "scores": scores.astype(np.float64).tolist(),
            "weights": {"digest": digests(self.weights())["digest"]},
            "masks": {"digest": self.masks.digest},
            "order": {"digest": self.order.digest},
            "contributions": contributions,
        }

    def _contributions(self, parts: dict[str, Tensor], log_odds: np.ndarray, scores: np.ndarray) -> list[dict]:
        """For the riskiest applications, what each part contributes to the log-odds of default.

        A part's contribution is what the log-odds lose when that part is replaced by its mean over all test applications:
        positive where the part speaks for default. Scores near 1 would hide it, as they hardly move.
        """
        riskiest = np.argsort(-log_odds, kind="stable")[: settings.EXPLAINED]
        rows = paddle.to_tensor(riskiest)
        chosen = {name: paddle.index_select(part, rows) for name, part in parts.items()}
        lost = {}
        for name in PARTS:
            mean = parts[name].mean(axis=0, keepdim=True).expand_as(chosen[name])
            without = self.model.fusion({**chosen, name: mean}).numpy()
            lost[name] = (log_odds[riskiest] - without).astype(np.float64)
        return [
            {
                "application": int(application),
                "score": float(scores[application]),
                "parts": {name: float(lost[name][rank]) for name in PARTS},
            }
            for rank, application in enumerate(riskiest)
        ]


def ctc_loss(logits: Tensor, amounts: Tensor) -> Tensor:
    """Mean CTC loss of reading the amounts [B, DIGITS] from the logits [B, COLUMNS, CLASSES]."""
    batch = logits.shape[0]
    columns = paddle.full([batch], DocumentReader.COLUMNS, "int64")
    digits = paddle.full([batch], DIGITS, "int64")
    return F.ctc_loss(logits.transpose([1, 0, 2]), amounts, columns, digits, blank=0)
