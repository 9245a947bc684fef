"""Hosts that are really separate, made by Deploy/hosts, for tests of what runs across machines.
Needs root and an sshd; elsewhere the tests are skipped with a message.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFT = os.environ.get("WEFT") or str(ROOT / ".build" / "debug" / "weft")
SCRIPT = str(ROOT / "Deploy" / "hosts")
PATIENCE = 40 * float(os.environ.get("WEFT_PATIENCE", "1"))
"""Seconds to wait for something that should happen."""


def eventually(what, condition, seconds=PATIENCE):
    """Waits until the condition holds; its last value is returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"never: {what() if callable(what) else what}")
        time.sleep(0.05)


class Hosts:
    """The hub and its hosts, with a folder on the hub for the files of a test."""

    def __init__(self, *names):
        self.names = names or ("a", "b")
        # Not below /tmp, of which each host has its own.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-hosts-", dir="/var/tmp"))
        built = subprocess.run([SCRIPT, "up", str(self.folder), *self.names],
                               capture_output=True, text=True)
        if built.returncode == 77:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise unittest.SkipTest(built.stderr.strip())
        if built.returncode != 0:
            raise AssertionError(built.stderr)
        self.files = self.folder / "hub" / "home" / "files"
        self.files.mkdir()
        self.state = self.folder / "hub" / "home" / "state"
        self.started = []

    def close(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        subprocess.run([SCRIPT, "down", str(self.folder)], check=True)

    # -- Commands

    def command(self, name, *words):
        return [SCRIPT, "run", str(self.folder), name, *words]

    def run(self, name, *words, check=True):
        """The output of a command on a host."""
        ended = subprocess.run(self.command(name, *words), capture_output=True, text=True,
                               stdin=subprocess.DEVNULL)
        if check and ended.returncode != 0:
            raise AssertionError(f"{words} on {name}: {ended.returncode} {ended.stderr}")
        return ended.stdout

    def environment(self):
        return ["env", "-C", str(self.files), f"WEFT_STATE_DIR={self.state}",
                "SWIFT_BACKTRACE=enable=no"]

    def weft(self, *words, status=0):
        """The output of weft on the hub."""
        ended = subprocess.run(
            self.command("hub", *self.environment(), WEFT, *words),
            capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if status is not None and ended.returncode != status:
            raise AssertionError(
                f"weft {words}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
        return ended.stdout if status == 0 else ended.stdout + ended.stderr

    def start(self, *words, host="hub"):
        """Starts weft on a host; its outputs go to a file of that number."""
        log = open(self.files / f"out-{len(self.started)}", "w+", encoding="utf-8")
        process = subprocess.Popen(
            self.command(host, *self.environment(), WEFT, *words),
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        process.log = pathlib.Path(log.name)
        log.close()
        self.started.append(process)
        return process

    def write(self, name, text):
        path = self.files / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    # -- What is there

    def launched(self):
        """The workers of the running launch, by name; none if there is no launch."""
        ended = subprocess.run(
            self.command("hub", *self.environment(), WEFT, "launch", "--status", "--json"),
            capture_output=True, text=True)
        if ended.returncode != 0:
            return {}
        return {worker["name"]: worker for worker in json.loads(ended.stdout)["workers"]}

    def running(self):
        return sorted(name for name, worker in self.launched().items()
                      if worker["state"] == "running")

    def processes(self, name):
        """The command lines on a host, without those that belong to the host itself."""
        lines = self.run(name, "ps", "-ww", "-eo", "pid=,stat=,args=").splitlines()
        # The first process, what it sleeps with, and ps.
        own = ("sleep 1000", "ps -ww", "sshd: /usr/sbin/sshd")
        found = []
        for line in lines:
            pid, stat, args = line.split(None, 2)
            if pid == "1" or stat.startswith("Z") or any(word in args for word in own):
                continue
            found.append(args)
        return found

    def launch_folders(self, name):
        place = self.folder / name / "home" / ".cache" / "weftline" / "launches"
        return sorted(entry.name for entry in place.iterdir()) if place.exists() else []

    def leftovers(self):
        """What a launch has left on any host; the cached program may stay."""
        left = []
        for name in self.names:
            left += [f"{name}: {args}" for args in self.processes(name)]
            left += [f"{name}: {folder}" for folder in self.launch_folders(name)]
            left += [f"{name}: /tmp/{entry}" for entry in self.run(name, "ls", "/tmp").split()]
        left += [f"hub: {args}" for args in self.processes("hub")]
        launches = self.state / "launches"
        if launches.exists():
            left += [f"hub: {entry}" for entry in launches.iterdir() if entry.suffix != ".log"]
        return left

    def keys(self):
        """All keys of the coordinator, as they are written."""
        return [path.read_text().split()[0] for path in self.state.glob("*.key")]

    def holders_of_keys(self):
        """Where a key can be read on any host: command lines, environments, files."""
        found = []
        needles = [key.encode() for key in self.keys()]
        assert needles
        for name in (*self.names, "hub"):
            for pid in self.run(name, "sh", "-c", "cd /proc && ls -d [0-9]*").split():
                for file in ("cmdline", "environ"):
                    text = subprocess.run(
                        self.command(name, "cat", f"/proc/{pid}/{file}"),
                        capture_output=True).stdout
                    found += [f"{name}: {file} of {pid}" for needle in needles if needle in text]
        for path in self.folder.rglob("*"):
            if path.parent == self.state or not path.is_file() or path.name == "weft":
                continue
            text = path.read_bytes()
            found += [str(path) for needle in needles if needle in text]
        return found

    # -- The network

    def call(self, name, *others):
        """Gives a host more names, all of which lead to its one sshd."""
        names = self.folder / "names"
        known = self.folder / "hub" / "home" / ".ssh" / "known_hosts"
        address = next(line.split()[0] for line in names.read_text().splitlines()
                       if line.split()[1] == name)
        key = next(line.split(None, 1)[1] for line in known.read_text().splitlines()
                   if line.split()[0] == name)
        with names.open("a") as file:
            file.writelines(f"{address} {other}\n" for other in others)
        with known.open("a") as file:
            file.writelines(f"{other} {key}\n" for other in others)

    def cut(self, name, direction):
        subprocess.run([SCRIPT, "cut", str(self.folder), name, direction], check=True)

    def heal(self, name):
        subprocess.run([SCRIPT, "heal", str(self.folder), name], check=True)
