"""Records: numbers keep their bits, digests notice every difference."""

import io
import json
import unittest

import numpy as np

from riskmodel.records import RecordWriter, digests, line, tensor_digest


class Lines(unittest.TestCase):
    def test_float32_survives_widening_and_text(self):
        values = np.random.RandomState(0).standard_normal(1000).astype(np.float32)
        read = json.loads(line({"scores": values.astype(np.float64).tolist()}))["scores"]
        self.assertEqual(np.array(read).astype(np.float32).tobytes(), values.tobytes())

    def test_nan_is_refused(self):
        with self.assertRaises(ValueError):
            line({"loss": float("nan")})

    def test_a_record_is_one_line_with_its_precision(self):
        stream = io.StringIO()
        RecordWriter(stream, "float32").write("step", step=1, note="还网贷\n")
        self.assertEqual(stream.getvalue().count("\n"), 1)
        self.assertEqual(
            json.loads(stream.getvalue()),
            {"record": "step", "precision": "float32", "step": 1, "note": "还网贷\n"},
        )


class Digests(unittest.TestCase):
    def test_type_shape_and_bytes_count(self):
        base = np.arange(6, dtype=np.int32)
        variants = [base, base.astype(np.int64), base.reshape(2, 3), base + 1, base.view(np.float32)]
        self.assertEqual(len({tensor_digest(variant) for variant in variants}), len(variants))

    def test_byte_order_and_memory_layout_do_not(self):
        base = np.arange(6, dtype=np.int32).reshape(2, 3)
        self.assertEqual(tensor_digest(base), tensor_digest(base.astype(">i4")))
        self.assertEqual(tensor_digest(base), tensor_digest(np.asfortranarray(base)))

    def test_names_count_and_order_does_not(self):
        one, two = np.zeros(1), np.ones(1)
        self.assertEqual(digests({"a": one, "b": two}), digests({"b": two, "a": one}))
        self.assertNotEqual(digests({"a": one, "b": two})["digest"], digests({"a": two, "b": one})["digest"])


if __name__ == "__main__":
    unittest.main()
