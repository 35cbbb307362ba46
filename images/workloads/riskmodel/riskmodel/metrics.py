"""How good the scores and the readings are. Needs numpy only."""

import numpy as np


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: how often a defaulted loan [n, label 1] scores above a repaid one, ties counted half."""
    bad, good = scores[labels == 1], scores[labels == 0]
    higher = (bad[:, None] > good[None, :]).mean()
    equal = (bad[:, None] == good[None, :]).mean()
    return float(higher + equal / 2)


def ks(labels: np.ndarray, scores: np.ndarray) -> float:
    """Kolmogorov-Smirnov statistic: the widest gap between the score distributions of defaulted and repaid loans."""
    bad, good = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    bad_below = np.searchsorted(bad, scores, side="right") / len(bad)
    good_below = np.searchsorted(good, scores, side="right") / len(good)
    return float(np.abs(bad_below - good_below).max())


def read_amounts(logits: np.ndarray) -> list[list[int]]:
    """Best-path CTC decoding of [n, columns, classes]: the likeliest class per column, repeats merged, blanks (0) dropped."""
    amounts = []
    for columns in logits.argmax(axis=-1).tolist():
        previous = [0, *columns]
        amounts.append([label for label, before in zip(columns, previous) if label not in (0, before)])
    return amounts


def exact(read: list[list[int]], written: np.ndarray) -> float:
    """Share of the amounts read without a single error; `written` is [n, digits]."""
    return sum(one == other for one, other in zip(read, written.tolist())) / len(read)
