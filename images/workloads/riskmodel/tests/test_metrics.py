"""Metrics against values worked out by hand."""

import unittest

import numpy as np

from riskmodel import metrics


class RankMetrics(unittest.TestCase):
    LABELS = np.array([0, 0, 1, 1], np.float32)

    def test_perfect_and_reversed_order(self):
        scores = np.array([0.1, 0.2, 0.3, 0.4])
        self.assertEqual((metrics.auc(self.LABELS, scores), metrics.ks(self.LABELS, scores)), (1, 1))
        self.assertEqual(metrics.auc(self.LABELS, -scores), 0)

    def test_one_pair_out_of_order(self):
        scores = np.array([0.1, 0.35, 0.3, 0.4])
        self.assertEqual(metrics.auc(self.LABELS, scores), 0.75)
        self.assertEqual(metrics.ks(self.LABELS, scores), 0.5)

    def test_equal_scores_tell_nothing(self):
        scores = np.full(4, 0.5)
        self.assertEqual((metrics.auc(self.LABELS, scores), metrics.ks(self.LABELS, scores)), (0.5, 0))


class Reading(unittest.TestCase):
    def test_repeats_merge_and_blanks_part(self):
        columns = [0, 3, 3, 0, 3, 5, 5, 0]
        logits = np.eye(11)[[columns]]
        self.assertEqual(metrics.read_amounts(logits), [[3, 3, 5]])

    def test_exact_share(self):
        written = np.array([[1, 2], [3, 4]])
        self.assertEqual(metrics.exact([[1, 2], [3]], written), 0.5)


if __name__ == "__main__":
    unittest.main()
