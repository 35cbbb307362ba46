"""What the workload trains and for how long. Nothing here may change without a new `__version__`."""

from dataclasses import dataclass

APPLICATIONS_TRAIN = 1024
APPLICATIONS_TEST = 512
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
CTC_WEIGHT = 0.3
"""Weight of the document-reading loss (CTC) beside the risk loss (binary cross-entropy)."""
DROPOUT = 0.1
EXPLAINED = 8
"""How many of the riskiest test applications are explained part by part."""

SEEDS = {"data": 5, "weights": 2, "order": 2025, "masks": 11}


def seeds(variant: int) -> dict[str, int]:
    """The seeds of a variant: 0 is the reference, others train other weights in another order on the same data."""
    return {name: seed if name == "data" else seed + 7919 * variant for name, seed in SEEDS.items()}


@dataclass(frozen=True)
class Profile:
    """A length of training. All profiles share one trajectory: a short one is a prefix of a longer one.

    Inputs and operators are measured in every profile, also in one without steps."""

    steps: int
    evaluations: tuple[int, ...]
    """The steps after which the test applications are scored."""
    inference: bool = False
    """Whether the trained model is also saved and run by the inference engine."""


PROFILES = {
    "operators": Profile(steps=0, evaluations=()),
    "quick": Profile(steps=50, evaluations=(50,)),
    "full": Profile(steps=200, evaluations=(50, 200), inference=True),
}
PRECISIONS = ("float32", "float64")
