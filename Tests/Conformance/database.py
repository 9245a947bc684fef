"""A real PostgreSQL for the tests, made by Deploy/postgresql, and coordinators that share a journal in
it. Without one on this host the tests are skipped."""

import atexit
import functools
import pathlib
import secrets
import shutil
import subprocess
import unittest

from peer import PATIENCE, ROOT, WEFT, Coordinator


class Database:
    """One for all tests of a process."""

    def __init__(self):
        self.process = subprocess.Popen(
            [ROOT / "Deploy" / "postgresql", "fsync=off", "max_connections=60"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        atexit.register(self.end)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise unittest.SkipTest(self.process.stderr.read().strip())

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1].split("/")[0])

    def tell(self, line):
        """`stop` or `start`, and waits for it."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == line

    def run(self, text, database="postgres", user="weft"):
        """Runs statements, and returns what they find, a row a line."""
        done = subprocess.run(
            ["psql", "--no-psqlrc", "-qtA", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
             str(self.port), "-U", user, database, "-c", text],
            capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout.strip()

    def make(self):
        """A new database: its name, and its URL."""
        name = f"journal_{secrets.token_hex(4)}"
        self.run(f"CREATE DATABASE {name}")
        return name, self.url.rsplit("/", 1)[0] + "/" + name

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()


@functools.cache
def database():
    """The database, which is made when it is asked for first."""
    if shutil.which("psql") is None:
        raise unittest.SkipTest("there is no PostgreSQL; run Deploy/install --postgresql")
    return Database()


class Member(Coordinator):
    """One of the coordinators that share a journal, with the keys of another one."""

    def __init__(self, url, *options, keys=None, **limits):
        self.keys = keys
        super().__init__("--journal", url, *options, **limits)

    def start(self):
        for key in pathlib.Path(self.keys.folder.name).glob("*.key") if self.keys else []:
            shutil.copy(key, self.folder.name)
        super().start()

    def leads(self):
        self.process.wait_for(r"^leads \(epoch \d+\)")
        return self

    def stands_by(self):
        self.process.wait_for(r"^stands by, the coordinator at 127\.0\.0\.1:\d+ leads")
        return self


def weft(*arguments, **options):
    """A command's exit code and what it says."""
    done = subprocess.run([WEFT, *arguments], capture_output=True, text=True, timeout=PATIENCE,
                          **options)
    return done.returncode, done.stdout, done.stderr
