"""Initial weights, masks and batch order: frozen, and of the right kind."""

import unittest

import numpy as np

from riskmodel.draws import BatchOrder, MaskStream, initial_weights


class InitialWeights(unittest.TestCase):
    SHAPES = {
        "text.blocks.0.dense_norm.weight": (8,),
        "text.blocks.0.dense_norm.bias": (8,),
        "fusion.combine.weight": (400, 100),
        "document.shapes.weight": (64, 32, 3, 3),
        "sequence.lstm.weight_ih_l0": (512, 16),
    }

    def test_a_norm_starts_as_identity(self):
        weights = initial_weights(1, self.SHAPES)
        self.assertTrue((weights["text.blocks.0.dense_norm.weight"] == 1).all())
        self.assertTrue((weights["text.blocks.0.dense_norm.bias"] == 0).all())

    def test_spread_follows_the_number_of_inputs(self):
        weights = initial_weights(1, self.SHAPES)
        expected = {
            "fusion.combine.weight": 400**-0.5,
            "document.shapes.weight": (2 / (32 * 9)) ** 0.5,
            "sequence.lstm.weight_ih_l0": 16**-0.5,
        }
        for name, spread in expected.items():
            self.assertAlmostEqual(weights[name].std() / spread, 1, delta=0.05, msg=name)

    def test_same_seed_same_bytes(self):
        one, other = initial_weights(1, self.SHAPES), initial_weights(1, self.SHAPES)
        self.assertTrue(all(np.array_equal(one[name], other[name]) for name in one))


class Masks(unittest.TestCase):
    def test_rate(self):
        self.assertAlmostEqual(MaskStream(3, 0.1).draw([500, 200]).mean(), 0.9, delta=0.01)

    def test_digest_is_of_all_that_was_drawn(self):
        one, other = MaskStream(3, 0.1), MaskStream(3, 0.1)
        self.assertEqual(one.digest, other.digest)
        one.draw([4, 8])
        self.assertNotEqual(one.digest, other.digest)
        other.draw([4, 8])
        self.assertEqual(one.digest, other.digest)


class Order(unittest.TestCase):
    def test_an_epoch_sees_each_application_once(self):
        order = BatchOrder(7, 64, 16)
        for _ in range(3):
            epoch = np.concatenate([order.draw() for _ in range(4)])
            self.assertEqual(sorted(epoch.tolist()), list(range(64)))

    def test_epochs_differ(self):
        order = BatchOrder(7, 64, 64)
        self.assertFalse(np.array_equal(order.draw(), order.draw()))


if __name__ == "__main__":
    unittest.main()
