"""Finding the first value that is no number."""

import unittest

import numpy as np

from riskmodel.finite import LayerTrace, NonFinite, require_finite


class Output:
    """What the trace needs of a tensor."""

    def __init__(self, *values: float):
        self._values = np.array(values)

    def numpy(self) -> np.ndarray:
        return self._values


class Layer:
    """What the trace needs of a layer."""

    def register_forward_post_hook(self, hook):
        self.computed = lambda output: hook(self, (), output)


class Model:
    def __init__(self):
        self.first, self.second = Layer(), Layer()

    def named_sublayers(self):
        return [("first", self.first), ("second", self.second)]


class Trace(unittest.TestCase):
    def setUp(self):
        self.model = Model()
        self.trace = LayerTrace(self.model)

    def test_the_earliest_in_time_is_named(self):
        self.model.second.computed((Output(np.inf), "state"))
        self.model.first.computed(Output(0, np.nan))
        self.assertEqual(self.trace.first_non_finite(), "second (Layer)")

    def test_what_was_cleared_is_forgotten(self):
        self.model.first.computed(Output(np.nan))
        self.trace.clear()
        self.assertIsNone(self.trace.first_non_finite())

    def test_the_layer_at_fault_is_raised(self):
        self.model.first.computed(Output(np.nan))
        with self.assertRaises(NonFinite) as raised:
            require_finite(7, self.trace, {"bce": 0.5, "loss": float("nan")})
        self.assertEqual((raised.exception.step, raised.exception.operator), (7, "first (Layer)"))

    def test_or_else_the_value_itself(self):
        self.model.first.computed(Output(1))
        with self.assertRaises(NonFinite) as raised:
            require_finite(7, self.trace, {"gradient of fusion.score.bias": float("inf")})
        self.assertEqual(raised.exception.operator, "gradient of fusion.score.bias")

    def test_finite_values_pass(self):
        require_finite(7, self.trace, {"loss": 1e300})


if __name__ == "__main__":
    unittest.main()
