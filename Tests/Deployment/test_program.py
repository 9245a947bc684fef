"""The program that Deploy/build makes: small, started at once, few libraries, and debuggers find what
was stripped from it.
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import time
import unittest
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFT = pathlib.Path(os.environ.get("WEFT") or ROOT / ".build" / "stripped" / "weft")
LIMIT = 30_000_000
"""Bytes of the program."""
START = 0.020
"""Seconds for the start of a command that does nothing."""


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class Program(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not WEFT.with_name("weft.debug").exists():
            raise unittest.SkipTest(f"{WEFT} was not made by Deploy/build")

    def test_is_small(self):
        self.assertLess(WEFT.stat().st_size, LIMIT)

    def test_has_no_tables_of_icu(self):
        self.assertNotRegex(WEFT.read_bytes(), rb"icudt\d\d")

    def test_needs_no_library_that_has_an_archive(self):
        needed = set(re.findall(r"NEEDED.*\[(lib[^.]*)", output("readelf", "-d", WEFT)))
        system = {"libc", "libm", "libstdc++", "libgcc_s"}
        for library in sorted(needed - system):
            archive = output("gcc", f"-print-file-name={library}.a").strip()
            self.assertFalse(os.path.isabs(archive), f"{library} is shared, and there is {archive}")

    def test_is_connected_with_its_debug_file(self):
        debug = WEFT.with_name("weft.debug")
        link = subprocess.run(
            ["objcopy", "-O", "binary", "--only-section=.gnu_debuglink",
             "--set-section-flags", ".gnu_debuglink=alloc", WEFT, "/dev/stdout"],
            capture_output=True, check=True).stdout
        self.assertTrue(link.startswith(b"weft.debug\0"), link)
        self.assertEqual(int.from_bytes(link[-4:], "little"), zlib.crc32(debug.read_bytes()))
        self.assertIn(".debug_info", output("readelf", "-SW", debug))
        self.assertNotIn(".debug_info", output("readelf", "-SW", WEFT))

    def test_tells_what_it_is_made_of(self):
        about = json.loads(output(WEFT, "version", "--json"))
        self.assertEqual(about["build"]["configuration"], "release")
        self.assertRegex(about["build"]["swift"], r"^\d+\.\d+")
        self.assertTrue(set(about["libraries"]) >= {"libuv", "OpenSSL", "simdjson", "libyaml"})

    def test_starts_at_once(self):
        for arguments in [["--help"], ["version"]]:
            times = []
            for _ in range(50):
                start = time.perf_counter()
                output(WEFT, *arguments)
                times.append(time.perf_counter() - start)
            # The best ones, as other programs may run beside it.
            self.assertLess(statistics.mean(sorted(times)[:10]), START, arguments)


if __name__ == "__main__":
    unittest.main()
