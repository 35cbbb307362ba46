"""The synthetic applications: frozen bytes, and the properties the model relies on."""

import unittest

import numpy as np

from riskmodel import data, settings
from riskmodel.records import digests


class GeneratedApplications(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.n = settings.APPLICATIONS_TRAIN + settings.APPLICATIONS_TEST
        cls.applications = data.generate(settings.SEEDS["data"], cls.n)

    def test_bytes_are_frozen(self):
        # A change here makes every recorded baseline useless: it needs a new version of the workload.
        self.assertEqual(
            digests(self.applications.tensors())["digest"],
            "sha256:0b94c1710085b2259271d690b6fc2b96e8a47700fe783d39614ea4356d8d0ee6",
        )

    def test_another_seed_gives_other_data(self):
        other = data.generate(settings.SEEDS["data"] + 1, self.n)
        self.assertFalse(np.array_equal(other.months, self.applications.months))

    def test_shapes(self):
        shapes = {name: array.shape for name, array in self.applications.tensors().items() if "edge" not in name}
        self.assertEqual(
            shapes,
            {
                "tokens": (self.n, data.TOKENS),
                "months": (self.n, data.MONTHS, data.TRANSACTION_FEATURES),
                "accounts": (self.n, data.ACCOUNT_FEATURES),
                "documents": (self.n, 1, data.DOCUMENT_HEIGHT, data.DOCUMENT_WIDTH),
                "amounts": (self.n, data.DIGITS),
                "declared": (self.n, 1),
                "defaulted": (self.n,),
            },
        )

    def test_every_edge_has_its_opposite(self):
        edges = set(zip(self.applications.edge_from.tolist(), self.applications.edge_to.tolist()))
        self.assertEqual(edges, {(to, start) for start, to in edges})
        self.assertTrue(all((account, account) in edges for account in range(self.n)))

    def test_both_outcomes_are_common(self):
        self.assertTrue(0.3 < self.applications.defaulted.mean() < 0.7)

    def test_every_position_of_the_text_is_used(self):
        # An unused position would have a parameter that never learns.
        self.assertTrue((self.applications.tokens != 0).any(axis=0).all())

    def test_features_lie_on_the_grid(self):
        for array in (self.applications.months, self.applications.accounts, self.applications.documents):
            scaled = array.astype(np.float64) * 65536
            self.assertTrue(np.array_equal(scaled, np.round(scaled)))


class Glyphs(unittest.TestCase):
    def test_digits_differ(self):
        self.assertEqual(len({data._glyph(digit).tobytes() for digit in range(10)}), 10)

    def test_one_is_the_right_edge_alone(self):
        glyph = data._glyph(1)
        self.assertTrue(glyph[:, -1].all())
        self.assertFalse(glyph[:, :-1].any())


if __name__ == "__main__":
    unittest.main()
