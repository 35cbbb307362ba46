"""The shared objects of this process: which files are mapped, what is in them, and who put them there. Needs no framework."""

import hashlib
import os
import struct
from pathlib import Path

BUILD_ID = 3
"""Type of the note that holds the linker's build id (NT_GNU_BUILD_ID)."""


def mapped() -> list[str]:
    """The paths of the shared objects mapped into this process."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        paths = {line.split(maxsplit=5)[5].rstrip("\n") for line in maps if "/" in line}
    return sorted(path for path in paths if ".so" in Path(path).name and Path(path).is_file())


def file_digest(path: str) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def preloaded() -> list[str]:
    """What is loaded before everything else, and so replaces functions of other libraries: by variable or by file (ld.so(8))."""
    listed = os.environ.get("LD_PRELOAD", "")
    try:
        listed += " " + Path("/etc/ld.so.preload").read_text()
    except OSError:
        pass
    return listed.replace(":", " ").split()


def build_id(path: str) -> str | None:
    """The build id of a 64-bit ELF file, in hexadecimal; None where it has none or is something else."""
    try:
        with open(path, "rb") as file:
            header = file.read(64)
            if header[:5] != b"\x7fELF\x02":
                return None
            order = "<" if header[5] == 1 else ">"
            table, size, count = struct.unpack_from(order + "32xQ14xHH", header)
            file.seek(table)
            programs = file.read(size * count)
            for start in range(0, len(programs), size):
                kind, offset, length = struct.unpack_from(order + "I4xQ16xQ", programs, start)
                if kind == 4:  # PT_NOTE
                    file.seek(offset)
                    if found := _build_id_note(file.read(min(length, 1 << 16)), order):
                        return found
    except (OSError, ValueError, struct.error):  # A damaged header leads anywhere.
        pass
    return None


def _build_id_note(notes: bytes, order: str) -> str | None:
    position = 0
    while position + 12 <= len(notes):
        name, content, kind = struct.unpack_from(order + "III", notes, position)
        start = position + 12 + (name + 3) // 4 * 4
        if kind == BUILD_ID and notes[position + 12 : position + 16] == b"GNU\0":
            return notes[start : start + content].hex()
        position = start + (content + 3) // 4 * 4
    return None
