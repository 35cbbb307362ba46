"""What is recorded of an environment: installed files, shared objects, and a GPU's driver."""

import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from riskmodel import accelerator, environment, installed, objects


class InstalledPackages(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.site = Path(self._folder.name)
        self._write("maths/__init__.py", "one = 1\n")
        self._write("maths/fast.py", "two = 2\n")
        self._write("maths-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: maths\nVersion: 1.0\n")
        names = ("maths/__init__.py", "maths/fast.py", "maths-1.0.dist-info/METADATA")
        lines = [f"{name},sha256={self._record(name)},1" for name in names] + ["maths-1.0.dist-info/RECORD,,"]
        self._write("maths-1.0.dist-info/RECORD", "\n".join(lines) + "\n")

    def _write(self, name: str, text: str) -> None:
        path = self.site / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def _record(self, name: str) -> str:
        digest = hashlib.sha256((self.site / name).read_bytes()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _package(self) -> dict:
        with mock.patch.object(sys, "path", [str(self.site)]):
            return installed.packages()[0]["maths"]

    def test_as_recorded(self):
        package = self._package()
        self.assertEqual((package["version"], package["files"], package["altered"]), ("1.0", 3, []))
        self.assertEqual(package["roots"], ["maths", "maths-1.0.dist-info"])

    def test_altered_and_missing(self):
        before = self._package()["digest"]
        self._write("maths/fast.py", "two = 3\n")
        (self.site / "maths/__init__.py").unlink()
        package = self._package()
        self.assertEqual((package["altered"], package["missing"]), (["maths/fast.py"], ["maths/__init__.py"]))
        self.assertNotEqual(package["digest"], before)

    def test_altered_together_with_its_record_is_still_seen(self):
        before = self._package()["digest"]
        old = self._record("maths/fast.py")
        self._write("maths/fast.py", "two = 3\n")
        record = self.site / "maths-1.0.dist-info/RECORD"
        record.write_text(record.read_text().replace(old, self._record("maths/fast.py")))
        package = self._package()
        self.assertEqual(package["altered"], [])
        self.assertNotEqual(package["digest"], before)

    def test_without_metadata_it_goes_by_its_folder(self):
        (self.site / "maths-1.0.dist-info/METADATA").unlink()
        self._write("maths/fast.py", "two = 3\n")
        with mock.patch.object(sys, "path", [str(self.site)]):
            found = installed.packages()[0]
        self.assertEqual(sorted(found), ["maths-1.0.dist-info", "riskmodel"])
        package = found["maths-1.0.dist-info"]
        self.assertEqual((package["version"], package["altered"]), ("unknown", ["maths/fast.py"]))
        self.assertEqual(package["missing"], ["maths-1.0.dist-info/METADATA"])

    def test_an_empty_folder_of_metadata_is_no_package(self):
        (self.site / "gone-2.0.dist-info").mkdir()
        with mock.patch.object(sys, "path", [str(self.site)]):
            self.assertEqual(sorted(installed.packages()[0]), ["maths", "riskmodel"])

    def test_the_workload_itself(self):
        package = installed.packages()[0]["riskmodel"]
        self.assertGreater(package["files"], 10)
        self.assertTrue(package["digest"].startswith("sha256:"))


class SharedObjects(unittest.TestCase):
    def test_the_c_library_is_mapped_and_has_a_build_id(self):
        found = environment.libraries({})
        (libc,) = [path for path in found["libraries"] if Path(path).name.startswith("libc.so")]
        notes = subprocess.run(["readelf", "-n", libc], capture_output=True, text=True)
        self.assertIn(found["build_ids"][libc], notes.stdout)

    def test_known_ones_are_left_out(self):
        known = environment.libraries({})["libraries"]
        self.assertEqual(environment.libraries({}, known)["libraries"], {})

    def test_what_is_no_object_has_no_build_id(self):
        with tempfile.NamedTemporaryFile() as file:
            for content in (b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 70, b"text" * 100):
                file.seek(0)
                file.truncate()
                file.write(content)
                file.flush()
                self.assertIsNone(objects.build_id(file.name))
        self.assertIsNone(objects.build_id("/nowhere.so"))

    def test_preloaded(self):
        with mock.patch.dict(os.environ, {"LD_PRELOAD": "/a.so:/b.so /c.so"}):
            self.assertEqual(objects.preloaded()[:3], ["/a.so", "/b.so", "/c.so"])


class Accelerator(unittest.TestCase):
    def test_a_driver_and_two_devices(self):
        with tempfile.TemporaryDirectory() as folder:
            version = Path(folder, "version")
            version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\nGCC version: 12\n")
            tool = Path(folder, "nvidia-smi")
            fields = ", ".join(["Tesla T4"] + ["[N/A]"] * (len(accelerator.FIELDS) - 1))
            tool.write_text(f"#!/bin/sh\necho '{fields}'\necho '{fields}'\n")
            tool.chmod(0o755)
            with mock.patch.dict(os.environ, {"PATH": f"{folder}:{os.environ['PATH']}"}):
                found = accelerator.describe(str(version))
        self.assertEqual(found["driver"], "535.104.05")
        self.assertEqual([device["name"] for device in found["devices"]], ["Tesla T4", "Tesla T4"])

    def test_none(self):
        with mock.patch.dict(os.environ, {"PATH": "/nowhere"}):
            self.assertIsNone(accelerator.describe("/nowhere"))


if __name__ == "__main__":
    unittest.main()
