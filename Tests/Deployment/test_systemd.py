"""The systemd units: nothing in them is unknown to systemd, they expose little, and a coordinator and
a worker with tools work under them.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFT = os.environ.get("WEFT") or str(ROOT / ".build" / "debug" / "weft")
UNITS = sorted((ROOT / "Deploy" / "systemd").glob("*.service"))
LARGEST_EXPOSURE = 2.0

MANIFEST = """
tools:
  - name: who
    description: Tell about the process that runs this.
    parameters: {type: object}
    command:
      - sh
      - -c
      - |
        touch "$TMPDIR/file" && touch /tmp/file
        cat /etc/weftline/worker.join && echo key
        touch /etc/file && echo written
        grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status
        python3 -c '
        import ctypes, errno
        system = ctypes.CDLL(None, use_errno=True)
        # Asks for the version of Landlock; the number is the same on every processor.
        system.syscall(444, None, 0, 1)
        print("landlock:", "refused" if ctypes.get_errno() == errno.EPERM else "allowed")'
  - name: slow
    description: Wait and answer.
    parameters: {type: object}
    command: [sh, -c, "sleep 3; echo done"]
"""


@unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
class Analysis(unittest.TestCase):
    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True,
                              timeout=machine.PATIENCE)

    def test_systemd_understands_every_line(self):
        self.assertTrue(UNITS)
        for unit in UNITS:
            with self.subTest(unit.name), tempfile.TemporaryDirectory() as folder:
                # That the program exists is checked, too.
                copy = pathlib.Path(folder, unit.name)
                copy.write_text(unit.read_text().replace("/usr/local/bin/weft", WEFT))
                # The exit status is 0 for an unknown key and for a bad value.
                self.assertEqual("", self.analyze("verify", "--man=no", str(copy)).stderr)

    def test_a_misspelt_line_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder, "weft-worker.service")
            text = (ROOT / "Deploy/systemd/weft-worker.service").read_text()
            copy.write_text(text.replace("/usr/local/bin/weft", WEFT)
                            .replace("PrivateTmp=yes", "PrivatTmp=yes"))
            self.assertIn("PrivatTmp", self.analyze("verify", "--man=no", str(copy)).stderr)

    def test_the_units_expose_little(self):
        for unit in UNITS:
            with self.subTest(unit.name):
                text = self.analyze("security", "--offline=true", "--no-pager", str(unit)).stdout
                found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)
                self.assertIsNotNone(found, text)
                self.assertLessEqual(float(found[1]), LARGEST_EXPOSURE, text)


class Running(unittest.TestCase):
    """The units in a systemd of their own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        try:
            cls.machine = machine.Machine(pathlib.Path(cls.folder.name, "log"), WEFT, ROOT)
        except machine.CannotBoot as error:
            raise unittest.SkipTest(f"no systemd of its own here: {error}") from error
        cls.addClassCleanup(cls.machine.stop)
        cls.install()

    @classmethod
    def install(cls):
        """What the first lines of the units tell."""
        run = cls.machine.check
        run("mkdir", "-p", "/etc/weftline")
        run("sh", "-c", "cp /run/source/Deploy/systemd/*.service /run/units")
        run("systemd-sysusers", "/run/source/Deploy/systemd/weftline.conf")
        run("sh", "-c", f"cat > /etc/weftline/tools.yaml <<'END'\n{MANIFEST}\nEND")
        run("systemctl", "daemon-reload")
        run("systemctl", "start", "weft-coordinator")
        cls.wait_until(lambda: cls.weft("status").returncode == 0, "the coordinator is silent")
        line = cls.weft("keys", "export", "worker", "--for", "127.0.0.1:7420").stdout
        run("sh", "-c", f"umask 077; echo '{line.strip()}' > /etc/weftline/worker.join")

    @classmethod
    def wait_until(cls, condition, otherwise):
        try:
            cls.machine.wait_until(condition, otherwise)
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{cls.machine.journal()}") from error

    @classmethod
    def command(cls, *arguments):
        """A command of the coordinator's user, who may read its keys."""
        return ["setpriv", "--reuid=weftline", "--regid=weftline", "--clear-groups", "weft",
                *arguments, "--state", "/var/lib/weftline"]

    @classmethod
    def weft(cls, *arguments):
        return cls.machine.run(*cls.command(*arguments))

    @classmethod
    def plan(cls, tool):
        """A command that runs a plan with one call of the tool."""
        plan = json.dumps({"tasks": [{"id": "t", "tool_name": tool, "args": {}}]})
        path = f"/run/{tool}.json"
        cls.machine.check("sh", "-c", f"cat > {path} <<'END'\n{plan}\nEND")
        return cls.command("run", "--plan", path, "--coordinator", "127.0.0.1:7420")

    def workers(self):
        return json.loads(self.weft("workers", "--json").stdout)

    def setUp(self):
        self.machine.check("systemctl", "start", "weft-worker")
        self.addCleanup(self.machine.run, "systemctl", "stop", "weft-worker")
        self.wait_until(lambda: self.workers(), "no worker arrives")

    def test_a_tool_runs_and_can_neither_read_the_key_nor_write_elsewhere(self):
        result = self.machine.run(*self.plan("who"))
        self.assertEqual(0, result.returncode, result.stderr + self.machine.journal())
        self.assertRegex(result.stdout, r"CapEff:\s*0+\s")
        self.assertRegex(result.stdout, r"NoNewPrivs:\s*1")
        self.assertRegex(result.stdout, r"Seccomp:\s*2")
        # A tool may restrict itself further.
        self.assertIn("landlock: allowed", result.stdout)
        self.assertNotIn("key", result.stdout)
        self.assertNotIn("written", result.stdout)

    def test_a_stopped_worker_finishes_what_it_runs(self):
        with self.machine.start(*self.plan("slow")) as run:
            self.wait_until(self.is_busy, "the tool does not start")
            self.machine.check("systemctl", "stop", "weft-worker")
            output, problems = run.communicate(timeout=machine.PATIENCE)
        self.assertEqual(0, run.returncode, problems)
        self.assertIn("done", output)
        state = self.machine.check("systemctl", "show", "weft-worker", "--property=Result")
        self.assertEqual("Result=success", state.strip())

    def test_a_killed_worker_comes_back_and_leaves_nothing(self):
        with self.machine.start(*self.plan("slow")) as run:
            self.wait_until(self.is_busy, "the tool does not start")
            first = self.workers()[0]["name"]
            self.machine.check("systemctl", "kill", "--kill-whom=main", "--signal=KILL",
                               "weft-worker")
            self.wait_until(
                lambda: any(worker["name"] != first for worker in self.workers()),
                "no other worker arrives")
            self.assertEqual("", self.machine.run("pgrep", "-f", "sleep 3").stdout)
            run.communicate(timeout=machine.PATIENCE)
        self.assertNotEqual(0, run.returncode)

    def is_busy(self):
        return any(worker["in_flight"] for worker in self.workers())


if __name__ == "__main__":
    unittest.main()
