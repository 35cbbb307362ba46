"""Examines this image from inside, on a machine without a GPU: versions against the lock, and where each NVIDIA library comes from.

    python3 examine.py image.lock

Prints one JSON object; ends with 1 when anything is not as it should be.
"""

import ctypes
import json
import pathlib
import re
import subprocess
import sys

PACKAGES = pathlib.Path("/usr/local/lib/python3.11/dist-packages")
# The driver's own library; a launcher brings it from the host.
DRIVER = "libcuda.so.1"
# What PaddlePaddle opens by name (paddle/phi/backends/dynload in its source). Short names are not found among a binary's strings: the
# compiler builds them from numbers.
OPENED = [
    "libcublas.so", "libcublasLt.so", "libcudnn.so", "libcufft.so", "libcupti.so", "libcurand.so", "libcusolver.so", "libcusparse.so",
    "libnccl.so", "libnvToolsExt.so", "libnvrtc.so",
]
# What the wheels of CUDA open in turn.
OPENED += ["libcudart.so.11.0", "libnvrtc-builtins.so.11.8"] + [
    f"libcudnn_{part}_{use}.so.8" for part in ("adv", "cnn", "ops") for use in ("infer", "train")
]
# Named by PaddlePaddle for features this environment does not have: TensorRT, and sparse products by cuSPARSELt.
ABSENT = {"libnvinfer.so", "libcusparseLt.so"}
NVIDIA_NAME = re.compile(rb"lib(?:cu[a-zA-Z]+|nv[a-zA-Z-]+|nccl)\.so")


def shared_objects():
    for folder in ("paddle", "nvidia"):
        yield from sorted(p for p in (PACKAGES / folder).rglob("*.so*") if not p.is_symlink())


def unresolved(path):
    """Names the loader does not find for one file. ldd runs nothing of it."""
    lines = subprocess.run(["ldd", path], capture_output=True, text=True).stdout.splitlines()
    return [line.split()[0] for line in lines if line.endswith("not found")]


def named_in(path):
    """NVIDIA's libraries among the texts of a binary, by their unversioned names."""
    names, rest = set(), b""
    with open(path, "rb") as file:
        while chunk := file.read(1 << 24):
            names.update(match.decode() for match in NVIDIA_NAME.findall(rest + chunk))
            rest = chunk[-64:]
    return names


def loaded_from(name):
    """The file a name opens, or the loader's words when it opens none."""
    try:
        ctypes.CDLL(name)
    except OSError as error:
        return None, str(error)
    stem = name.split(".so")[0]
    paths = {line.split()[-1] for line in open("/proc/self/maps") if line.count("/")}
    found = [path for path in sorted(paths) if pathlib.Path(path).name.split(".so")[0] == stem]
    return (found[0] if found else None), None


def main(lock):
    problems = []
    pins = {pin["project"]: pin["version"] for pin in json.loads(pathlib.Path(lock).read_text())["python"]}

    needs = {str(path.relative_to(PACKAGES)): unresolved(path) for path in shared_objects()}
    for path, names in needs.items():
        # What ships beside libpaddle.so it has loaded by full path before anything else asks for it.
        missing = [name for name in names if name != DRIVER and not (PACKAGES / "paddle/libs" / name).exists()]
        problems += [f"{path} needs {name}, which is not in the image" for name in missing]

    opened = {}
    mentioned = named_in(PACKAGES / "paddle/base/libpaddle.so") | named_in(PACKAGES / "paddle/libs/libphi.so")
    for name in sorted((set(OPENED) | mentioned) - ABSENT - {"libcuda.so"}):
        path, reason = loaded_from(name)
        opened[name] = path or reason
        if path is None or not path.startswith(str(PACKAGES / "nvidia")):
            problems.append(f"{name} opens {path or 'nothing: ' + str(reason)}")

    versions = {"cuda": None, "cudnn": None, "full_version": None}
    try:
        import paddle

        versions = {"cuda": paddle.version.cuda(), "cudnn": paddle.version.cudnn(), "full_version": paddle.version.full_version}
        total = float(paddle.to_tensor([1.0, 2.0], place=paddle.CPUPlace()).sum())
        if total != 3.0:
            problems.append(f"1 + 2 is {total}")
    except Exception as error:
        problems.append(f"import paddle: {error}")
    locked = {
        "cuda": ".".join(pins["nvidia-cuda-runtime-cu11"].split(".")[:2]),
        "cudnn": ".".join(pins["nvidia-cudnn-cu11"].split(".")[:3]),
        "full_version": pins["paddlepaddle-gpu"],
    }
    problems += [f"{key}: paddle says {versions[key]}, the lock {locked[key]}" for key in locked if versions[key] != locked[key]]

    driver = sorted(path for path, names in needs.items() if DRIVER in names)
    print(json.dumps({
        "versions": versions, "shared objects": len(needs), "need the driver": driver, "opened": opened,
        "mentioned and absent": sorted(mentioned & ABSENT), "problems": problems,
    }, indent=2))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
