"""Errors in units in the last place, on arrays whose errors are known."""

import unittest

import numpy as np

from riskmodel import ulp


def profile(actual: list[float], exact: list[float], dtype=np.float32, cancels: bool = False) -> dict:
    return ulp.profile(np.array(actual, dtype), np.array(exact, ulp.WIDE), cancels)


class Figures(unittest.TestCase):
    def test_exact(self):
        found = profile([1, 2, 3], [1, 2, 3])
        self.assertEqual((found["max"], found["mean"], found["histogram"], found["elements"]), (0, 0, [3], 3))

    def test_one_ulp_each_way(self):
        for dtype in (np.float32, np.float64):
            above, below = np.nextafter(dtype(1.5), dtype(2)), np.nextafter(dtype(1.5), dtype(1))
            found = profile([above, below, 1.5, 1.5], [1.5] * 4, dtype)
            self.assertEqual((found["max"], found["mean"], found["bias"]), (1, 0.5, 0))
            self.assertEqual(found["histogram"], [2, 2])

    def test_bias_has_a_sign(self):
        below = np.nextafter(np.float32(1.5), np.float32(1))
        self.assertEqual(profile([below, below], [1.5, 1.5])["bias"], -1)

    def test_the_unit_is_the_spacing_of_the_type(self):
        for dtype in (np.float32, np.float64):
            tiny = np.finfo(dtype).smallest_subnormal
            exact = np.array([tiny, 7 * tiny, np.finfo(dtype).tiny, 1, np.nextafter(dtype(2), dtype(1)), 3e30], dtype)
            actual = exact + np.spacing(exact)
            self.assertEqual(profile(actual, exact, dtype)["histogram"], [0, 6])
        # What is taken for zero is as many units away as it was large.
        self.assertEqual(profile([0], [7 * np.finfo(np.float32).smallest_subnormal])["max"], 7)
        self.assertEqual(profile([0, 1e-45], [0, 0])["max"], 1)

    def test_buckets_end_at_powers_of_two(self):
        unit = 2.0**-23
        exact = [1 + n * unit for n in (0, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5)]
        self.assertEqual(profile([1.0] * 9, exact)["histogram"], [2, 2, 2, 2, 1])

    def test_what_cancels_is_measured_by_the_usual_size(self):
        exact = [1.0] * 99 + [1e-6]
        actual = [1.0] * 99 + [2e-6]
        self.assertGreater(profile(actual, exact)["max"], 1e6)
        self.assertLess(profile(actual, exact, cancels=True)["max"], 100)

    def test_not_finite_is_counted_and_left_out(self):
        found = profile([1, np.nan, np.inf], [1, 1, 1])
        self.assertEqual((found["not_finite"], found["max"]), (2, 0))
        self.assertEqual(profile([np.nan], [1])["histogram"], [])

    def test_the_digest_sees_every_bit(self):
        self.assertNotEqual(profile([0.0], [0])["digest"], profile([-0.0], [0])["digest"])


if __name__ == "__main__":
    unittest.main()
