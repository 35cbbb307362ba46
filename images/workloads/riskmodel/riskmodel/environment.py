"""What the computation ran on: interpreter, packages, libraries, processor, threads and variables. Needs no framework."""

import ctypes
import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path

CLEARED_PREFIXES = ("MKL_", "DNNL_", "ONEDNN_", "FLAGS_", "OMP_", "KMP_", "GOMP_", "OPENBLAS_")
"""Variables that choose kernels or thread counts; a measurement starts without them."""
RECORDED_PREFIXES = (*CLEARED_PREFIXES, "LD_", "CUDA_", "NVIDIA_", "GLIBC_TUNABLES", "PYTHONHASHSEED")

# The instruction sets by which the maths libraries choose among their kernels.
KERNEL_FLAGS = (
    "sse4_2 avx f16c fma avx2 avx_vnni avx512f avx512dq avx512bw avx512vl avx512_vnni avx512_bf16 avx512_fp16 "
    "amx_tile amx_bf16 amx_int8 asimd asimdhp sve sve2 bf16"
).split()


def cleaned(variables: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Variables for a measuring process, one thread and no kernel choices; and what was cleared to get there."""
    cleared = {name: value for name, value in variables.items() if name.startswith(CLEARED_PREFIXES)}
    kept = {name: value for name, value in variables.items() if name not in cleared}
    return {**kept, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}, cleared


def kept(variables: dict[str, str]) -> dict[str, str]:
    """Variables for a process that is varied on purpose: as they are, one thread unless they say otherwise."""
    threads = variables.get("OMP_NUM_THREADS", "1")
    return {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, **variables}


def describe(cleared: dict[str, str]) -> dict[str, object]:
    """The environment of this process; call it once the framework is loaded, so that its libraries are seen."""
    return {
        "python": platform.python_version(),
        "packages": packages(),
        "libraries": libraries(),
        "platform": {
            "machine": platform.machine(),
            "kernel": platform.release(),
            "libc": " ".join(platform.libc_ver()),
        },
        "cpu": cpu(),
        "threads": threads(),
        "variables": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith(RECORDED_PREFIXES)
        },
        "cleared": cleared,
    }


def packages() -> dict[str, str]:
    """The installed Python distributions and their versions."""
    found = {distribution.metadata["Name"]: distribution.version for distribution in metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def libraries() -> dict[str, str]:
    """The shared objects mapped into this process, by path, with the digest of each file."""
    mapped = {line.split(maxsplit=5)[5].rstrip("\n") for line in open("/proc/self/maps") if "/" in line}
    objects = sorted(path for path in mapped if ".so" in Path(path).name and Path(path).is_file())
    return {path: _file_digest(path) for path in objects}


def _file_digest(path: str) -> str:
    with open(path, "rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def cpu() -> dict[str, object]:
    """The processor's name, the instruction sets kernels are chosen by, and a digest over all its flags."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(reversed([map(str.strip, line.split(":", 1)) for line in lines if ":" in line]))
    flags = sorted(fields.get("flags", fields.get("Features", "")).split())
    return {
        "model": fields.get("model name", platform.processor() or "unknown"),
        "flags": [flag for flag in KERNEL_FLAGS if flag in flags],
        "flags_digest": "sha256:" + hashlib.sha256(" ".join(flags).encode()).hexdigest(),
    }


def threads() -> dict[str, int | None]:
    """How many threads OpenMP and MKL would use, asked of the libraries themselves; null where one is not loaded."""
    return {
        "openmp": _ask("libiomp5.so", "omp_get_max_threads"),
        "mkl": _ask("libmklml_intel.so", "MKL_Get_Max_Threads"),
    }


def _ask(library: str, function: str) -> int | None:
    try:
        # RTLD_NOLOAD: only a library that is already there can say what is in force.
        return ctypes.CDLL(library, mode=os.RTLD_NOLOAD | os.RTLD_NOW)[function]()
    except (OSError, AttributeError):
        return None
