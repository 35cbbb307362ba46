"""Two processes side by side: whole lines, and an error record for every way a process can end badly."""

import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from riskmodel import environment, supervise


def run(**scripts: str) -> tuple[int, list[dict]]:
    """Runs Python scripts as the processes of these precisions."""
    output = io.StringIO()
    commands = {precision: [sys.executable, "-c", script] for precision, script in scripts.items()}
    code = supervise.run(commands, dict(os.environ), output)
    return code, [json.loads(text) for text in output.getvalue().splitlines()]


STEP = 'print(\'{"record":"step","precision":"float32","step":7}\', flush=True);'
END = 'print(\'{"record":"end","precision":"float32"}\', flush=True);'


class Endings(unittest.TestCase):
    def test_good(self):
        code, records = run(float32=STEP + END)
        self.assertEqual((code, [record["record"] for record in records]), (0, ["step", "end"]))

    def test_signal(self):
        code, records = run(float32=STEP + "import os; os.kill(os.getpid(), 11)")
        self.assertEqual(code, 1)
        self.assertEqual(
            records[-1],
            {
                "record": "error",
                "precision": "float32",
                "step": 8,
                "operator": None,
                "message": "the float32 process was ended by signal 11 (SIGSEGV), after step 7",
            },
        )

    def test_signal_in_the_first_step(self):
        header = 'print(\'{"record":"run","precision":"float32"}\', flush=True);'
        code, records = run(float32=header + "import os; os.kill(os.getpid(), 9)")
        self.assertEqual((code, records[-1]["step"]), (1, 1))
        self.assertIn("before the first step", records[-1]["message"])

    def test_exit_code(self):
        code, records = run(float32="raise SystemExit(3)")
        self.assertEqual(code, 1)
        self.assertIn("exit code 3", records[0]["message"])
        self.assertIn("before the first step", records[0]["message"])

    def test_missing_end(self):
        code, records = run(float32=STEP)
        self.assertEqual((code, records[-1]["record"]), (1, "error"))

    def test_torn_line(self):
        code, records = run(float32=STEP + "print('{\"rec', end='')")
        self.assertEqual((code, records[-1]["record"]), (1, "error"))
        self.assertIn("broke off after 5 bytes", records[-1]["message"])

    def test_own_error_record_is_not_doubled(self):
        script = 'print(\'{"record":"error","precision":"float32","step":2}\'); raise SystemExit(1)'
        code, records = run(float32=script)
        self.assertEqual((code, len(records)), (1, 1))

    def test_one_failure_leaves_the_other_to_finish(self):
        code, records = run(float32="raise SystemExit(3)", float64=STEP + END)
        self.assertEqual(code, 1)
        self.assertEqual({record["record"] for record in records}, {"error", "step", "end"})


class Lines(unittest.TestCase):
    def test_long_lines_of_two_processes_stay_whole(self):
        script = (
            "import json\n"
            "for step in range(200): print(json.dumps({'record': 'step', 'step': step, 'by': %r * 20000}))\n"
            "print(json.dumps({'record': 'end'}))"
        )
        code, records = run(float32=script % "a", float64=script % "b")
        self.assertEqual(code, 0)
        self.assertEqual(len(records), 402)
        for letter in "ab":
            steps = [record["step"] for record in records if record.get("by", "")[:1] == letter]
            self.assertEqual(steps, list(range(200)))


class CommandLine(unittest.TestCase):
    def test_a_framework_that_does_not_load(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "paddle.py").write_text("raise ImportError('libgomp.so.1: cannot open shared object file')\n")
            root = str(Path(__file__).parent.parent)
            run = subprocess.run(
                [sys.executable, "-m", "riskmodel", "--precision", "float32"],
                cwd=root,
                env={**os.environ, "PYTHONPATH": folder},
                capture_output=True,
                text=True,
                timeout=60,
            )
        self.assertEqual(run.returncode, 1)
        self.assertEqual(
            json.loads(run.stdout),
            {
                "record": "error",
                "precision": "float32",
                "step": None,
                "operator": "_records",
                "message": "ImportError: libgomp.so.1: cannot open shared object file",
            },
        )
        self.assertIn("Traceback", run.stderr)


class Variables(unittest.TestCase):
    GIVEN = {"HOME": "/home/someone", "MKL_CBWR": "COMPATIBLE", "OMP_NUM_THREADS": "2"}

    def test_cleaned(self):
        variables, cleared = environment.cleaned(self.GIVEN)
        self.assertEqual(variables, {"HOME": "/home/someone", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
        self.assertEqual(cleared, {"MKL_CBWR": "COMPATIBLE", "OMP_NUM_THREADS": "2"})

    def test_kept(self):
        self.assertEqual(environment.kept(self.GIVEN), {**self.GIVEN, "MKL_NUM_THREADS": "2"})
        self.assertEqual(environment.kept({}), {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})


if __name__ == "__main__":
    unittest.main()
