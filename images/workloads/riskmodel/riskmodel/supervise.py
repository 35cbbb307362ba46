"""Runs one process per precision side by side and passes their records on, whole lines only. Needs no framework."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from . import environment, installed, settings
from .records import line


@dataclass
class Child:
    """A measuring process and what is known of it from its own records."""

    precision: str
    process: subprocess.Popen
    step: int | None = None
    """The last complete step; 0 once training is ready to begin."""
    concluded: bool = False
    """Whether it wrote its `end` or its `error`."""
    failed: bool = False
    torn: bytes = b""
    """What it had written of a line when it ended."""


def commands(
    precisions: list[str], profile: str, planted: list[str], keep_environment: bool, variant: int
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The command of each precision's process, and the variables all of them start with."""
    if keep_environment:
        variables, cleared = environment.kept(dict(os.environ)), {}
    else:
        variables, cleared = environment.cleaned(dict(os.environ))
    package_root = str(Path(__file__).parent.parent)
    inherited = variables.get("PYTHONPATH")
    variables["PYTHONPATH"] = f"{package_root}:{inherited}" if inherited else package_root
    packages, hashed = installed.packages()
    order = {
        "profile": profile,
        "planted": planted,
        "seeds": settings.seeds(variant),
        "cleared": cleared,
        "installed": packages,
        "hashed": hashed,
    }
    return {
        precision: [sys.executable, "-m", "riskmodel.trial", json.dumps({**order, "precision": precision})]
        for precision in precisions
    }, variables


def run(commands: dict[str, list[str]], variables: dict[str, str], output: TextIO) -> int:
    """Runs the commands, by precision, to their end; 0 if each ended well, else 1 with an `error` record for the cause."""
    lines: queue.SimpleQueue[tuple[Child, bytes | None]] = queue.SimpleQueue()
    children = []
    try:
        for precision, command in commands.items():
            process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            children.append(Child(precision, process))
        for child in children:
            threading.Thread(target=_read, args=(child, lines), daemon=True).start()
        running = len(children)
        while running:
            child, text = lines.get()
            if text is None:
                running -= 1
                _conclude(child, output)
            else:
                _forward(child, text, output)
    finally:
        for child in children:
            if child.process.poll() is None:
                child.process.kill()
                child.process.wait()
    return 1 if any(child.failed for child in children) else 0


def _read(child: Child, lines: queue.SimpleQueue) -> None:
    """Queues each line of the child's output, and at last None."""
    with child.process.stdout as pipe:
        for text in pipe:
            lines.put((child, text))
    lines.put((child, None))


def _forward(child: Child, text: bytes, output: TextIO) -> None:
    """Passes a whole line on and notes how far the child is; the rest of a torn line is kept for the error message."""
    if not text.endswith(b"\n"):
        child.torn = text
        return
    record = json.loads(text)
    child.step = 0 if record["record"] == "run" else record.get("step", child.step)
    child.concluded = child.concluded or record["record"] in ("end", "error")
    output.write(text.decode())
    output.flush()


def _conclude(child: Child, output: TextIO) -> None:
    """Waits for the child, and writes the error record that a crashed one could not write itself."""
    code = child.process.wait()
    child.failed = code != 0 or not child.concluded
    if child.concluded:
        return
    if code < 0:
        ending = f"was ended by signal {-code} ({_signal_name(-code)})"
    else:
        ending = f"ended with exit code {code} without an end record"
    after = f"after step {child.step}" if child.step else "before the first step"
    message = f"the {child.precision} process {ending}, {after}"
    if child.torn:
        message += f"; its last line broke off after {len(child.torn)} bytes"
    # As in `trial`: the step that failed is the one after the last complete one.
    step = None if child.step is None else child.step + 1
    error = {"record": "error", "precision": child.precision, "step": step, "operator": None, "message": message}
    output.write(line(error))
    output.flush()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
