"""What `drift-suite` keeps, what it does again, and what it counts as found. A program in place of envctl tells how it was called."""
import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS))
loader = importlib.machinery.SourceFileLoader("drift_suite", str(SCRIPTS / "drift-suite"))
drift_suite = importlib.util.module_from_spec(importlib.util.spec_from_loader("drift_suite", loader))
sys.modules["drift_suite"] = drift_suite
loader.exec_module(drift_suite)

CHANGE = drift_suite.CHANGES["seed"]
ENVCTL = """#!/bin/sh
echo "$*" >> "$0.calls"
while [ $# -gt 0 ]; do [ "$1" = --record ] && echo '{}' > "$2"; shift; done
cat "$0.verdict"; exit "$(cat "$0.status")"
"""


def verdict(outcome: str) -> dict:
    return {"outcome": outcome, "measurements": [], "breakages": [], "differences": []}


class KeptVerdicts(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        self.envctl = self.folder / "envctl"
        self.envctl.write_text(ENVCTL)
        self.envctl.chmod(0o755)
        self.answer("drift: semantics", 3)

    def answer(self, outcome: str, status: int) -> None:
        (self.folder / "envctl.verdict").write_text(json.dumps(verdict(outcome)))
        (self.folder / "envctl.status").write_text(str(status))

    def suite(self, **options: object) -> drift_suite.Suite:
        defaults = {"results": self.folder / "results", "envctl": self.envctl, "profile": "quick", "rejudge": False, "jobs": 1}
        return drift_suite.Suite(argparse.Namespace(**{**defaults, **options}))

    def calls(self) -> list[str]:
        """How envctl was called since this was asked last."""
        log = self.folder / "envctl.calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def kept(self) -> Path:
        return self.folder / f"results/verdicts/{CHANGE.name}.json"

    def check(self, **options: object) -> tuple[drift_suite.Result, str]:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            return self.suite(**options).check(CHANGE), said.getvalue()

    def test_what_this_instrument_found_here_is_not_done_again(self) -> None:
        first, _ = self.check()
        self.assertEqual(len(self.calls()), 1)
        self.assertEqual(self.check(), (first, ""))
        self.assertEqual(self.calls(), [])

    def test_the_verdict_of_another_instrument_or_processor_is_not_this_ones(self) -> None:
        self.check()
        self.calls()
        self.envctl.write_text(ENVCTL + "# Another build.\n")
        self.check()
        self.assertEqual(len(self.calls()), 1)
        for name in ("instrument", "processor"):
            replace(drift_suite.Result.read(self.kept()), **{name: "another"}).write(self.kept())
            self.check()
            self.assertEqual(len(self.calls()), 1, name)

    def test_a_verdict_that_does_not_tell_its_instrument_serves_for_its_records_only(self) -> None:
        self.check()
        told = json.loads(self.kept().read_text())
        del told["instrument"], told["processor"]
        self.kept().write_text(json.dumps(told))
        self.calls()
        self.check(rejudge=True)
        self.assertIn("--replay", self.calls()[0])
        # On what it was measured is still unknown.
        self.check()
        self.assertIn("--record", self.calls()[0])

    def test_another_baseline_is_another_instrument(self) -> None:
        manifest = (SCRIPTS.parent / f"manifests/{drift_suite.ENVIRONMENT}.yaml").read_text()
        now = drift_suite.instrument(self.envctl, manifest)
        folder = self.folder / "baselines"
        folder.mkdir()
        (folder / "one.json").write_text("{}")
        other = drift_suite.instrument(self.envctl, f"baseline: {folder}\n")
        (folder / "two.json").write_text("{}")
        self.assertEqual(len({now, other, drift_suite.instrument(self.envctl, f"baseline: {folder}\n")}), 3)
        with self.assertRaisesRegex(drift_suite.Failed, "names no baseline"):
            drift_suite.instrument(self.envctl, "name: without\n")

    def test_what_is_expected_is_no_part_of_what_is_run(self) -> None:
        suite = self.suite()
        told = replace(CHANGE, expects=drift_suite.BROKEN, what="other words", cause="another pattern")
        self.assertEqual(suite.definition(told), suite.definition(CHANGE))
        self.assertNotEqual(suite.definition(replace(CHANGE, arguments=("--seed", "2"))), suite.definition(CHANGE))

    def test_judging_anew_runs_nothing(self) -> None:
        self.check()
        self.calls()
        self.answer("identical", 0)
        result, _ = self.check(rejudge=True)
        self.assertEqual(result.verdict["outcome"], "identical")
        calls = self.calls()
        self.assertEqual(len(calls), 1)
        self.assertTrue(calls[0].startswith("check --format json --replay "), calls)

        suite = self.suite(rejudge=True)
        suite.prepare([CHANGE])
        for name in ("libm-bit", "numpy-2"):  # Made from a file of the image; in an image of its own.
            with self.assertRaisesRegex(drift_suite.Failed, "no records of this change"):
                suite.check(drift_suite.CHANGES[name])
        with self.assertRaisesRegex(drift_suite.Failed, "no records of this change"):
            suite.check(replace(CHANGE, arguments=("--seed", "2")))
        self.assertEqual(self.calls(), [])

    def test_a_damaged_verdict_is_done_again_and_told_in_one_line(self) -> None:
        self.check()
        whole = self.kept().read_text()
        for damaged in (whole[:-20], "", "[]", "\x00", json.dumps({**json.loads(whole), "verdict": {"outcome": "fine"}})):
            self.kept().write_text(damaged)
            self.calls()
            with self.assertRaises(drift_suite.Failed):
                self.check(rejudge=True)
            self.assertEqual(self.calls(), [])
            result, said = self.check()
            self.assertEqual(len(self.calls()), 1)
            self.assertEqual(said.count("\n"), 1, said)
            self.assertIn("checked again", said)
            self.assertEqual(drift_suite.Result.read(self.kept()), result)

    def test_no_verdict_outlives_the_records_it_belongs_to(self) -> None:
        self.check()
        self.envctl.write_text(ENVCTL + "# Another build.\n")
        self.answer("drift: semantics", 6)
        with self.assertRaises(drift_suite.Failed):
            self.check()
        self.assertFalse(self.kept().exists())


class Counting(unittest.TestCase):
    @staticmethod
    def result(name: str, outcome: str) -> drift_suite.Result:
        status = 1 if outcome == "broken" else 3 if outcome.startswith("drift") else 0
        return drift_suite.Result(name, "", status, 1.0, verdict(outcome))

    def test_a_crash_is_no_drift_that_was_found(self) -> None:
        results = [self.result("seed", "broken"), self.result("missing-value", "broken"), self.result("adam-beta1", "drift: semantics"),
                   self.result("missing-value", "drift: semantics"), self.result("one-ulp-expf", "identical"),
                   self.result("unchanged", "equivalent"), self.result("umask", "broken")]
        found = drift_suite.summary(results)
        self.assertEqual(found["confusion"], {"planted": {"alarm": 2, "other alarm": 2, "none": 1},
                                              "benign": {"alarm": 1, "other alarm": 0, "none": 1}})
        self.assertEqual(found["causes"]["of"], 2)
        self.assertEqual(found["wrong"], ["seed", "missing-value", "one-ulp-expf", "umask"])
        self.assertIn("expected: drift", drift_suite.line(results[0]))

    def test_every_change_expects_outcomes_there_are(self) -> None:
        known = {*drift_suite.DRIFT, *drift_suite.NO_DRIFT, *drift_suite.BROKEN}
        for change in drift_suite.CHANGES.values():
            self.assertTrue(change.expected and set(change.expected) <= known, change.name)
            self.assertEqual(change.kind == "benign", change.expected == drift_suite.NO_DRIFT, change.name)


if __name__ == "__main__":
    unittest.main()
