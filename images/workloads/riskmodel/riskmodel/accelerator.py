"""The GPU side of an environment: driver, devices and their clocks. Needs no framework, and no GPU."""

import shutil
import subprocess
from pathlib import Path

FIELDS = (
    "name uuid driver_version vbios_version compute_cap mig.mode.current ecc.mode.current persistence_mode compute_mode "
    "clocks.applications.graphics clocks.applications.memory clocks.max.graphics clocks.max.memory power.limit"
).split()
"""What is asked of each device, by nvidia-smi's names; clocks and power limits decide how fast, never what is computed."""


def describe(version_file: str = "/proc/driver/nvidia/version") -> dict[str, object] | None:
    """The driver and each device by its fields; None where there is neither a driver nor a tool to ask."""
    driver = _driver(Path(version_file))
    devices = _devices()
    return {"driver": driver, "devices": devices} if driver or devices else None


def _driver(file: Path) -> str | None:
    try:
        return file.read_text().splitlines()[0].split("  ")[1].strip()
    except (OSError, IndexError):
        return None


def _devices() -> list[dict[str, str]]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    question = [tool, f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [dict(zip(FIELDS, map(str.strip, line.split(",")))) for line in answer.splitlines() if line.strip()]
