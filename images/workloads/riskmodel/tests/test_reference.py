"""The exact evaluations, against closed forms, the standard library, and brute force."""

import itertools
import math
import unittest

import numpy as np

from riskmodel import reference
from riskmodel.ulp import WIDE


def wide(values) -> np.ndarray:
    return np.array(values, WIDE)


class Functions(unittest.TestCase):
    def test_erfc_on_both_sides_of_each_seam(self):
        points = [0, 1e-9, 0.3, 0.999999, 1, 1.000001, 2, 4.5, -0.5, -1, -3]
        for point, value in zip(points, reference.erfc(wide(points))):
            self.assertLess(abs(float(value) - math.erfc(point)), 4e-16 * max(math.erfc(point), 1e-300), point)

    def test_erfc_is_wider_than_float64(self):
        # The two methods share nothing, and meet at 1.
        series = 1 - reference._erf_series(wide([1.0]))
        self.assertLess(abs(float(series[0] / reference._erfc_fraction(wide([1.0]))[0] - 1)), 2e-18)

    def test_gelu(self):
        for point in (-6.0, -1.0, 0.0, 0.5, 3.0):
            exact = point / 2 * math.erfc(-point / math.sqrt(2))
            self.assertAlmostEqual(float(reference.gelu(wide([point]))[0]), exact, delta=abs(exact) * 1e-14)

    def test_softmax_sums_to_one(self):
        self.assertLess(abs(float(reference.softmax(wide([[1, 2, 300]])).sum()) - 1), 1e-18)

    def test_normalise(self):
        found, mean, variance = reference.normalise(wide([[1, 3]]), (1,), 0.0)
        self.assertEqual((found.tolist(), mean.item(), variance.item()), ([[-1, 1]], 2, 1))


class Layers(unittest.TestCase):
    def test_convolve_by_hand(self):
        images = wide(np.arange(12).reshape(1, 1, 3, 4))
        kernel = np.zeros((1, 1, 3, 3), WIDE)
        kernel[0, 0, 1, 2] = 1  # takes the right neighbour
        self.assertEqual(reference.convolve(images, kernel)[0, 0, 0].tolist(), [1, 2, 3, 0])

    def test_lstm_with_open_gates_counts(self):
        # Gates: input and output fully open, forget too; the candidate is tanh(1) each time.
        bias = wide([100, 100, 1, 100])
        found = reference.lstm(np.zeros((1, 3, 2), WIDE), np.zeros((4, 2), WIDE), np.zeros((4, 1), WIDE), bias)
        expected = [math.tanh(n * math.tanh(1)) for n in (1, 2, 3)]
        self.assertTrue(np.allclose(found[0, :, 0].astype(float), expected, atol=1e-15))

    def test_ctc_against_every_path(self):
        random = np.random.RandomState(1)
        logits = wide(random.uniform(-2, 2, (4, 2, 3)))
        labels = np.array([[1, 1], [2, 1]])
        found = reference.ctc_loss(logits, labels)
        for batch in range(2):
            chances = reference.softmax(logits[:, batch])
            total = 0.0
            for path in itertools.product(range(3), repeat=4):
                merged = [label for label, before in zip(path, (0, *path)) if label not in (0, before)]
                if merged == labels[batch].tolist():
                    total += math.prod(float(chances[column, label]) for column, label in enumerate(path))
            self.assertAlmostEqual(float(found[batch]), -math.log(total), places=14)

    def test_mean_of_neighbours(self):
        found = reference.mean_of_neighbours(wide([[1], [3], [8]]), np.array([0, 1, 2]), np.array([1, 1, 0]))
        self.assertEqual(found[:, 0].tolist(), [8, 2, 0])

    def test_first_step_of_adam_is_the_rate(self):
        found = reference.adam([wide([0.5, -2.0])], 0.25, 0.9, 0.999, 0.0)
        self.assertTrue(np.allclose(found.astype(float), [-0.25, 0.25], atol=1e-18))

    def test_binary_cross_entropy(self):
        found = reference.binary_cross_entropy(wide([0, 50]), wide([1, 1]))
        self.assertAlmostEqual(float(found[0]), math.log(2), places=15)
        self.assertAlmostEqual(float(found[1]) / math.exp(-50), 1, places=5)


if __name__ == "__main__":
    unittest.main()
