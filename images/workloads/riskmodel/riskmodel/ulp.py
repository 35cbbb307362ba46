"""How far results lie from exact ones, in units in the last place (ULP). Needs numpy only."""

import numpy as np

from .records import tensor_digest

WIDE = np.longdouble
"""What references are computed in: on x86 64 bits of mantissa, eleven more than float64."""
FLOOR = 1 / 4
"""Where terms cancel, a result below this share of the root mean square is measured in the ULP of that share."""


def profile(actual: np.ndarray, exact: np.ndarray, cancels: bool) -> dict[str, object]:
    """The distribution of the errors of `actual` against `exact` (wide), and the digest of the bits of `actual`.

    `max`, `p99`, `p50` and `mean` are of the magnitudes, `bias` is the mean with sign, all in ULP of the type of `actual`.
    `histogram` counts the errors up to 1/2, 1, 2, 4 … ULP; `not_finite` counts results that are no number, which the
    others leave out. Figures are rounded to four digits: the digest is what is exact.
    """
    finite = np.isfinite(actual)
    errors = _errors(actual[finite], exact[finite], cancels)
    sizes = np.abs(errors)
    return {
        "elements": int(actual.size),
        "not_finite": int(actual.size - finite.sum()),
        **{name: _rounded(value) for name, value in _figures(errors, sizes).items()},
        "histogram": _histogram(sizes),
        "digest": tensor_digest(actual),
    }


def _errors(actual: np.ndarray, exact: np.ndarray, cancels: bool) -> np.ndarray:
    """Errors in ULP at each exact value."""
    size = np.abs(exact)
    if cancels and size.size:
        size = np.maximum(size, np.sqrt(np.square(exact).mean()) * WIDE(FLOOR))
    # By the exponent, in the wide type: where subnormal numbers are taken for zero, so is their spacing.
    kind = np.finfo(actual.dtype)
    size = size.astype(actual.dtype).astype(WIDE)
    exponent = np.where(size > 0, np.frexp(size)[1] - 1, kind.minexp)
    unit = np.ldexp(WIDE(1), np.maximum(exponent, kind.minexp) - kind.nmant)
    return ((actual.astype(WIDE) - exact) / unit).astype(np.float64)


def _figures(errors: np.ndarray, sizes: np.ndarray) -> dict[str, float]:
    if not errors.size:
        return {"max": 0, "p99": 0, "p50": 0, "mean": 0, "bias": 0}
    ordered = np.sort(sizes)
    # Order statistics rather than interpolated percentiles: the same on every version of numpy.
    rank = {name: ordered[int(share * (len(ordered) - 1))] for name, share in (("p99", 0.99), ("p50", 0.5))}
    return {"max": ordered[-1], **rank, "mean": sizes.mean(), "bias": errors.mean()}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _histogram(sizes: np.ndarray) -> list[int]:
    """Counts of errors up to 1/2, 1, 2, 4 … ULP, without zeros at the end."""
    if not sizes.size:
        return []
    # frexp gives size = mantissa * 2^exponent with a mantissa from 1/2 up to 1: a power of two belongs to the lower bucket.
    mantissa, exponent = np.frexp(np.maximum(sizes, 0.5))
    return np.bincount(exponent + (mantissa != 0.5)).tolist()
