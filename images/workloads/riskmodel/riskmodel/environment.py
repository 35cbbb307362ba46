"""What the computation ran on: interpreter, packages, libraries, processor, threads and variables. Needs no framework."""

import ctypes
import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from . import accelerator, objects

CLEARED_PREFIXES = ("MKL_", "DNNL_", "ONEDNN_", "FLAGS_", "OMP_", "KMP_", "GOMP_", "OPENBLAS_")
"""Variables that choose kernels or thread counts; a measurement starts without them."""
RECORDED_PREFIXES = (
    *CLEARED_PREFIXES,
    *("LD_", "CUDA_", "CUBLAS_", "CUDNN_", "NCCL_", "NVIDIA_", "GLIBC_TUNABLES", "PYTHONHASHSEED"),
)

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


def describe(cleared: dict[str, str], installed: dict[str, dict], hashed: Mapping[str, str]) -> dict[str, object]:
    """The environment of this process; call it once the framework is loaded, so that its libraries are seen.

    `installed` are the packages and `hashed` the digests of their shared objects, as `installed.packages` found them.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: package["version"] for name, package in installed.items()},
        "installed": installed,
        **libraries(hashed),
        "preloaded": objects.preloaded(),
        "platform": {
            "machine": platform.machine(),
            "kernel": platform.release(),
            "libc": " ".join(platform.libc_ver()),
        },
        "cpu": cpu(),
        "clocks": clocks(),
        "gpu": accelerator.describe(),
        "threads": threads(),
        "variables": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith(RECORDED_PREFIXES)
        },
        "cleared": cleared,
    }


def libraries(hashed: Mapping[str, str], known: Mapping[str, str] | None = None) -> dict[str, dict[str, str]]:
    """The digest and the build id of each shared object mapped into this process, by path, apart from the `known`."""
    paths = [path for path in objects.mapped() if path not in (known or {})]
    ids = {path: objects.build_id(path) for path in paths}
    return {
        "libraries": {path: hashed.get(path) or objects.file_digest(path) for path in paths},
        "build_ids": {path: found for path, found in ids.items() if found},
    }


def switches(paddle: ModuleType) -> dict[str, str]:
    """The framework's own flags as they are in force, whoever set them: TF32, bfloat16, oneDNN, determinism and the rest."""
    try:
        flags = paddle.base.core.globals()
        return {name: str(flags[name]) for name in sorted(flags.keys())}
    except AttributeError:  # Other versions keep them elsewhere.
        return {}


def cpu() -> dict[str, object]:
    """The processor's name, the instruction sets kernels are chosen by, and a digest over all its flags."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(reversed([map(str.strip, line.split(":", 1)) for line in lines if ":" in line]))
    flags = sorted(fields.get("flags", fields.get("Features", "")).split())
    return {
        "model": fields.get("model name", platform.processor() or "unknown"),
        "flags": [flag for flag in KERNEL_FLAGS if flag in flags],
        "flags_digest": "sha256:" + hashlib.sha256(" ".join(flags).encode()).hexdigest(),
        "vendor": fields.get("vendor_id", fields.get("CPU implementer")),
        "signature": "/".join(fields.get(name, "?") for name in ("cpu family", "model", "stepping")),
        "microcode": fields.get("microcode"),
    }


def clocks() -> dict[str, str]:
    """How the processor's clock is governed, as far as the kernel tells: it decides how fast, never what is computed."""
    folder = Path("/sys/devices/system/cpu")
    files = {"governor": "cpu0/cpufreq/scaling_governor", "boost": "cpufreq/boost", "no_turbo": "intel_pstate/no_turbo"}
    return {name: (folder / file).read_text().strip() for name, file in files.items() if (folder / file).is_file()}


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
